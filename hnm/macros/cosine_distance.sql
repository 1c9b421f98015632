{# 1 - cosine of two vectors of type FLOAT[], in [0, 2]. A zero vector has no direction: it is at distance 1 of all. #}
{% macro cosine_distance(one, other) -%}
coalesce(nullif(list_cosine_distance({{ one }}, {{ other }}), 'nan'::float), 1)
{%- endmacro %}
