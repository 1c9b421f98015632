{# The highest of one score, unfiltered: `by` is fused_score, rrf, score_<retriever> or fused_<fusion>. #}
{% macro rule_top(strategy) -%}
{% set by = strategy.by | default('fused_score') -%}
{{ check_score(strategy, by) }}
{{- outcome(
    strategy,
    considers='agreement > 0 and ' ~ by ~ ' is not null',
    reasons={},
    order=by ~ ' desc',
    settings=['by'],
) }}
{%- endmacro %}
