{# Refuses strategies that cannot be meant: without a name or rule, named twice, chained to a later one. #}
{% macro check_strategies(strategies) -%}
{% if not strategies -%}
    {{ raise_error("there is no strategy; list at least one in the var `strategies`") }}
{%- endif %}
{% set names = [] -%}
{% for strategy in strategies -%}
    {% if strategy is not mapping or not strategy.name is defined or not strategy.rule is defined -%}
        {{ raise_error("strategy " ~ loop.index ~ " is " ~ strategy ~ "; it needs at least `name` and `rule`") }}
    {%- endif %}
    {%- if not strategy.name is string or not strategy.name.isidentifier() -%}
        {{ raise_error("the strategy name '" ~ strategy.name ~ "' must be letters, digits and underscores") }}
    {%- endif %}
    {%- if strategy.name | lower in names -%}
        {{ raise_error("two strategies are named '" ~ strategy.name ~ "'") }}
    {%- endif %}
    {%- set limit = strategy.per_positive | default(1) -%}
    {% if not limit is integer or limit is boolean or limit < 1 -%}
        {{ raise_error("strategy '" ~ strategy.name ~ "': per_positive is " ~ limit
            ~ "; it must be a whole number from 1") }}
    {%- endif %}
    {%- for filled in filled_strategies(strategy).split() -%}
        {% if filled | lower not in names -%}
            {{ raise_error("strategy '" ~ strategy.name ~ "' fills '" ~ filled
                ~ "', which is not a strategy before it") }}
        {%- endif %}
    {%- endfor %}
    {%- if names.append(strategy.name | lower) %}{% endif -%}
{% endfor -%}
{% endmacro %}

{# The strategies whose empty pairs this one fills, separated by spaces; `fills` may be one name or a list. #}
{% macro filled_strategies(strategy) -%}
{{ strategy.fills if strategy.fills is string else strategy.fills | default([]) | join(' ') }}
{%- endmacro %}
