{# Refuses strategies that cannot be meant: without a name or rule, named twice, built on one that is not before it. #}
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
    {{- check_whole_number(strategy, 'per_positive', strategy.per_positive | default(1), 1) }}
    {{- check_whole_number(strategy, 'max_uses', strategy.max_uses | default(1), 1) }}
    {%- set fills = [strategy.fills] if strategy.fills is string else strategy.fills | default([]) -%}
    {%- if fills is not sequence or fills is mapping or fills | reject('string') | list -%}
        {{ raise_error("strategy '" ~ strategy.name ~ "': `fills` is " ~ strategy.fills
            ~ "; name a strategy before it, or a list of them") }}
    {%- endif %}
    {{- check_earlier(strategy, 'fills', fills, names) }}
    {{- check_earlier(strategy, 'mixes', strategy.mixes | list if strategy.mixes is mapping else [], names) }}
    {%- if names.append(strategy.name | lower) %}{% endif -%}
{% endfor -%}
{% endmacro %}

{# The strategies `given` in a setting are among the `names` of those before it. #}
{% macro check_earlier(strategy, setting, given, names) -%}
{% for earlier in given if earlier | lower not in names -%}
    {{ raise_error("strategy '" ~ strategy.name ~ "' " ~ setting ~ " '" ~ earlier
        ~ "', which is not a strategy before it") }}
{%- endfor -%}
{%- endmacro %}

{# The strategies whose empty pairs this one fills, separated by spaces; `fills` may be one name or a list. #}
{% macro filled_strategies(strategy) -%}
{{ strategy.fills if strategy.fills is string else strategy.fills | default([]) | join(' ') }}
{%- endmacro %}
