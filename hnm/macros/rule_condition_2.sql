{# The second condition of arXiv 2505.18366 alone: a hard negative is closer to the query than to the positive. Of
   those, the closest to the query come first. #}
{% macro rule_condition_2(strategy) -%}
{{ outcome(
    strategy,
    considers='agreement > 0',
    reasons={'not_closer_to_query_than_to_positive': 'not condition_2'},
    order='d_query_doc',
) }}
{%- endmacro %}
