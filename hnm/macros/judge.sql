{# The cross-encoder that judges candidates, by the var `judge`: 'none'; 'model' when it is a model's name; 'stage' when
   it is ref(a model stage of the project). #}
{% macro judge_kind() -%}
{% set judge = var('judge', none) -%}
{% if judge is none or judge == 'none' -%}
none
{%- elif not judge is string or not judge.strip() -%}
    {{ raise_error("judge is " ~ judge ~ "; it must be none, the name of a cross-encoder such as reranker_en, or "
        ~ "ref(reranker_hard)") }}
{%- else -%}
{{ 'stage' if judge.strip().startswith('ref(') else 'model' }}
{%- endif -%}
{%- endmacro %}

{# A percentile of the judge's scores of the sample's positives, as a scalar query; between two scores it is
   interpolated. Judges differ in scale, so only such a percentile says what a high score is. #}
{% macro judge_percentile(percentile) -%}
(
    select quantile_cont(score::double, {{ percentile }} / 100)
    from {{ ref('judge_scores') }} as judge_scores
    semi join (from {{ ref('judged_pairs') }} where is_positive) using (query_id, doc_id)
)
{%- endmacro %}
