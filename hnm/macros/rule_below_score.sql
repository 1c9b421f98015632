{# An absolute ceiling: candidates whose score is above `threshold` are likely unlabelled positives. Of the others, the
   highest come first. The max_score of sentence-transformers' mine_hard_negatives. #}
{% macro rule_below_score(strategy) -%}
{% set by = strategy.by | default('fused_score') -%}
{{ check_score(strategy, by) }}
{{- check_number(strategy, 'threshold', strategy.get('threshold', 'missing'), -1e9, 1e9) }}
{{- outcome(
    strategy,
    considers='agreement > 0 and ' ~ by ~ ' is not null',
    reasons={'above_threshold': by ~ ' > ' ~ strategy.threshold},
    order=by ~ ' desc',
    settings=['by', 'threshold'],
) }}
{%- endmacro %}
