{# Negatives that were imported: all of them, in the order in which they came, unless per_positive is set. `from` is the
   name under which they were imported, one of the var `imported`; by default the strategy's own name. #}
{% macro rule_imported(strategy) -%}
{% set from = strategy.get('from', strategy.name) -%}
{% if from not in var('imported', []) -%}
    {{ raise_error("strategy '" ~ strategy.name ~ "': '" ~ from ~ "' is not in the var `imported`") }}
{%- endif -%}
{{ outcome(
    dict(strategy, per_positive=strategy.get('per_positive', 1000000)),
    considers='rank_' ~ from ~ ' is not null',
    reasons={},
    order='rank_' ~ from,
    settings=['from'],
) }}
{%- endmacro %}
