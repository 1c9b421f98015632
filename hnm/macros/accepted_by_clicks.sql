{# The condition under which a row of click_evidence counts as an answer: enough clicks by enough people, and they mean
   something by the click model. #}
{% macro accepted_by_clicks() -%}
clicks >= {{ var('min_clicks', 1) }}
and clicked_sessions >= {{ var('min_click_sessions', 2) }}
and lower_bound >= {{ var('min_lower_bound', 0.2) }}
{%- endmacro %}
