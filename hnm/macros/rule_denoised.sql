{# Hard negatives denoised by a cross-encoder: candidates that the judge scores above a percentile of its scores of
   positives are likely unlabelled positives (RocketQA, Qu et al., arXiv 2010.08191, with a percentile of the sample's
   positives for its fixed thresholds). Of the others, the highest fused score comes first. #}
{% macro rule_denoised(strategy) -%}
{% set percentile = strategy.percentile | default(25) -%}
{{ check_number(strategy, 'percentile', percentile, 0, 100) }}
{%- if judge_kind() == 'none' -%}
    {{ raise_error("strategy '" ~ strategy.name ~ "': the rule 'denoised' needs a judge; name a cross-encoder in the "
        ~ "var judge, such as `judge: reranker_en`") }}
{%- endif %}
{%- set judged -%}
(
    select candidates.*, judge_scores.score as judge_score
    from candidates
    left join {{ ref('judge_scores') }} as judge_scores using (query_id, doc_id)
)
{%- endset %}
{{- outcome(
    strategy,
    source=judged,
    considers='agreement > 0',
    reasons={
        'not_judged': 'judge_score is null',
        'judged_like_positive': 'judge_score > ' ~ judge_percentile(percentile),
    },
    order='fused_score desc',
    settings=['percentile'],
) }}
{%- endmacro %}
