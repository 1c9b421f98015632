{# Documents drawn at random for the query, whether a retriever returned them too or not. #}
{% macro rule_random(strategy) -%}
{{ outcome(strategy, considers='rank_random is not null', reasons={}, order='rank_random') }}
{%- endmacro %}
