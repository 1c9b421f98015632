-- One row per query of the collection away from home that models are evaluated on: those with a known right answer, of
-- split test where the collection has one, chosen by a stable hash.
with judged as (
    select query_id, max(grade) as grade, bool_or(coalesce(nullif(split, ''), 'test') = 'test') as is_test
    from {{ source(var('away', 'away'), 'judgments') }}
    semi join {{ ref('away_corpus') }} as corpus using (doc_id)
    group by query_id
),

usable as (
    select
        query_id,
        {{ trimmed('queries.text') }} as text,
        coalesce(nullif(queries.split, ''), if(is_test, 'test', 'train')) = 'test' as is_test,
    from {{ source(var('away', 'away'), 'queries') }} as queries
    join judged using (query_id)
    where grade > 0
)

select query_id, text
from usable
where is_test or not exists (from usable where is_test)
order by {{ hash_fraction('query_id', 'evaluation') }}, query_id
{%- if var('away_queries', 60) is not none %}
limit {{ whole_number_var('away_queries', var('away_queries', 60), optional=true) }}
{%- endif %}
