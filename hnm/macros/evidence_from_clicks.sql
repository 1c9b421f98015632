{# One row per query and document that was shown for it: what the click log says of the pair, in the period of
   counted_impressions. The var click_model chooses the model, each of which is a file macros/click_NAME.sql with its
   source and formula. #}
{% macro evidence_from_clicks(later=false) -%}
with log as (
    {{ counted_impressions(later) | indent }}
),

counts as (
    {{ clicks_by_position('log') | indent }}
),

modelled as (
    {{ macro('click_' ~ var('click_model', 'position_bias_corrected'))('counts') | indent }}
),

counted as (
    select
        query_id,
        doc_id,
        count(*) as impressions,
        count(*) filter (clicked) as clicks,
        count(distinct session_id) as distinct_sessions,
        count(distinct session_id) filter (clicked) as clicked_sessions,
        {{ exact_avg('position') }} as mean_position,
        {{ exact_avg('dwell_seconds', filter='clicked') }} as mean_dwell_seconds,
    from log
    group by query_id, doc_id
)

select
    query_id,
    doc_id,
    impressions,
    clicks,
    distinct_sessions,
    clicked_sessions,
    mean_position,
    mean_dwell_seconds,
    clicks / impressions as ctr,
    expected_examinations,
    examined_not_clicked,
    effective_sample_size,
    clipped_share,
    attractiveness,
    lower_bound,
from counted
join modelled using (query_id, doc_id)
{%- endmacro %}
