{# The condition under which a row of click_evidence counts as an answer: enough clicks by enough people, and they mean
   something by the click model. #}
{% macro accepted_by_clicks() -%}
clicks >= {{ whole_number_var('min_clicks', var('min_clicks', 1), least=0) }}
and clicked_sessions >= {{ whole_number_var('min_click_sessions', var('min_click_sessions', 2), least=0) }}
and lower_bound >= {{ number_var('min_lower_bound', var('min_lower_bound', 0.2), 0, 1) }}
{%- endmacro %}
