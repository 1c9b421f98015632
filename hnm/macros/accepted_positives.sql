{# Query and document pairs that the feedback accepts as right, with the evidence for it, and whether each is hidden from
   the mining: what positives and hidden_positives share.

   weight, in [0, 1]: the click model's lower bound of the attractiveness, or the grade as a share of the query's best.
   Evidence of the other kind is null. is_hidden: the var hide_positives hides so large a share of the positives of
   queries that have at least two, chosen by a stable hash of query and document; the one with the highest hash always
   stays, so that no query is left without. A query's choice depends on no other query. #}
{% macro accepted_positives() -%}
{% set from = var('positives_from') %}
{%- if from not in ['clicks', 'judgments'] %}
{{ raise_error("positives_from is '" ~ from ~ "'; it must be 'clicks' or 'judgments'") }}
{%- endif %}
{%- set share = var('hide_positives', 0) %}
{%- if not share is number or share is boolean or not 0 <= share < 1 %}
{{ raise_error("hide_positives is " ~ share ~ "; it must be a share from 0 to below 1") }}
{%- endif %}
{%- if share > 0 and var('protect_judged_positives', false) %}
{{ raise_error("hide_positives hides positives that protect_judged_positives would still protect; set that var to "
    ~ "false while you estimate") }}
{%- endif %}
with accepted as (
{%- if from == 'clicks' %}
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
        {{ accepted_by_clicks() | indent(8) }}
{%- else %}
    select
        query_id,
        doc_id,
        -- With min_grade 0, the best may be 0: it is the best all the same.
        if(grade = max(grade) over (partition by query_id), 1, grade / max(grade) over (partition by query_id)) as weight,
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
    where grade >= {{ whole_number_var('min_grade', var('min_grade', 1), least=0) }}
{%- endif %}
)

select
    accepted.*,
    split,
    {%- if share > 0 %}
    {%- set fraction = hash_fraction("query_id || ' ' || doc_id", 'hide') %}
    {{ fraction }} < {{ share }}
    and row_number() over (partition by query_id order by {{ fraction }} desc, doc_id) > 1 as is_hidden,
    {%- else %}
    false as is_hidden,
    {%- endif %}
from accepted
join {{ ref('queries') }} as queries using (query_id)
where split in ('train', 'dev')
{%- endmacro %}
