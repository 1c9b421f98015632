-- One row per query and document accepted as its answer, for the queries that training may see (train and dev, never
-- test). positive_rank orders the positives of a query by evidence, from 1: negatives are mined for the first
-- positives_per_query of them, and all of them are protected from becoming negatives. weight, in [0, 1]: the click
-- model's lower bound of the attractiveness, or the grade as a share of the query's best. Evidence of the other kind is
-- null.
{%- set from = var('positives_from') %}
{%- if from not in ['clicks', 'judgments'] %}
{{ raise_error("positives_from is '" ~ from ~ "'; it must be 'clicks' or 'judgments'") }}
{%- endif %}
with accepted as (
{%- if from == 'clicks' %}
    -- Enough clicks by enough people, and they mean something by the click model.
    select
        query_id,
        doc_id,
        lower_bound as weight,
        'clicks:{{ var('click_model', 'position_bias_corrected') }}' as origin,
        impressions,
        clicks,
        distinct_sessions,
        clicked_sessions,
        mean_position,
        mean_dwell_seconds,
        expected_examinations,
        attractiveness,
        lower_bound,
        null::integer as grade,
    from {{ ref('click_evidence') }}
    where
        clicks >= {{ var('min_clicks', 1) }}
        and clicked_sessions >= {{ var('min_click_sessions', 2) }}
        and lower_bound >= {{ var('min_lower_bound', 0.2) }}
{%- else %}
    select
        query_id,
        doc_id,
        grade / max(grade) over (partition by query_id) as weight,
        'judgments' as origin,
        null::bigint as impressions,
        null::bigint as clicks,
        null::bigint as distinct_sessions,
        null::bigint as clicked_sessions,
        null::double as mean_position,
        null::double as mean_dwell_seconds,
        null::double as expected_examinations,
        null::double as attractiveness,
        null::double as lower_bound,
        grade,
    from {{ ref('judgments') }}
    where grade >= {{ var('min_grade', 1) }}
{%- endif %}
)

select
    query_id,
    doc_id,
    row_number() over (
        partition by query_id order by weight desc, clicked_sessions desc, doc_id
    )::integer as positive_rank,
    accepted.* exclude (query_id, doc_id),
    split,
from accepted
join {{ ref('queries') }} as queries using (query_id)
where split in ('train', 'dev')
