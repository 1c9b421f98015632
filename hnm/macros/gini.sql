{# Gini coefficient of whole numbers: 0 when all are equal, towards 1 when one has everything. `place` is the number's
   place (from 1) in ascending order: G = 2 * sum(place * x) / (n * sum(x)) - (n + 1) / n. An aggregate. #}
{% macro gini(value, place) -%}
2 * sum({{ place }} * {{ value }}) / (count(*) * sum({{ value }})) - (count(*) + 1) / count(*)
{%- endmacro %}
