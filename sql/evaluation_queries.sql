-- One row per query that models are evaluated on: test queries with at least one right answer known, the same ones as
-- long as they exist (chosen by a stable hash), whether a first stage finds their answers or not.
select query_id, text
from {{ ref('queries') }}
where
    split = 'test'
    and query_id in (select query_id from {{ ref('judgments') }} where grade > 0)
order by {{ hash_fraction('query_id', 'evaluation') }}, query_id
{%- if var('evaluation_queries', 200) is not none %}
limit {{ whole_number_var('evaluation_queries', var('evaluation_queries', 200), optional=true) }}
{%- endif %}
