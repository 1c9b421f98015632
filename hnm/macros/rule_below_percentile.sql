{# A ceiling relative to each query: candidates whose score is above the given percentile of the scores of the query's
   candidates are likely unlabelled positives. Of the others, the highest come first. Known positives do not count for
   the percentile, which interpolates linearly between two scores. #}
{% macro rule_below_percentile(strategy) -%}
{% set by, percentile = strategy.by | default('fused_score'), strategy.percentile | default(95) -%}
{{ check_score(strategy, by) }}
{{- check_number(strategy, 'percentile', percentile, 0, 100) }}
{%- set bound -%}
quantile_cont({{ by }}::double, {{ percentile }} / 100) over (
    partition by query_id, positive_id, {{ is_right_answer() }}
)
{%- endset %}
{{- outcome(
    strategy,
    considers='agreement > 0 and ' ~ by ~ ' is not null',
    measures={'bound': bound},
    reasons={'above_percentile': by ~ ' > bound'},
    order=by ~ ' desc',
    settings=['by', 'percentile'],
) }}
{%- endmacro %}
