{# An absolute floor: candidates whose score is below `threshold` are too easy. Of the others, the highest come first.
   The min_score of sentence-transformers' mine_hard_negatives. #}
{% macro rule_above_score(strategy) -%}
{% set by = strategy.by | default('fused_score') -%}
{{ check_score(strategy, by) }}
{{- check_number(strategy, 'threshold', strategy.get('threshold', 'missing'), -1e9, 1e9) }}
{{- outcome(
    strategy,
    considers='agreement > 0 and ' ~ by ~ ' is not null',
    reasons={'below_threshold': by ~ ' < ' ~ strategy.threshold},
    order=by ~ ' desc',
    settings=['by', 'threshold'],
) }}
{%- endmacro %}
