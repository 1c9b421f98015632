{# Sums and means that do not depend on the order of the rows. Parallel aggregation adds floating-point numbers in any
   order, which changes the last bits; decimals (12 digits after the point) add up exactly. #}
{% macro exact_sum(value, filter=none) -%}
sum(({{ value }})::decimal(38, 12)){% if filter %} filter ({{ filter }}){% endif %}::double
{%- endmacro %}

{% macro exact_avg(value, filter=none) -%}
{{ exact_sum(value, filter) }} / nullif(count({{ value }}){% if filter %} filter ({{ filter }}){% endif %}, 0)
{%- endmacro %}
