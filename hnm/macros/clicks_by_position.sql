{# One row per query, document and position: all that a click model reads of the log. `log` has the columns of
   counted_impressions. last_clicks: clicks that were the session's last for the query. #}
{% macro clicks_by_position(log) -%}
select
    query_id,
    doc_id,
    position,
    count(*) as impressions,
    count(*) filter (clicked) as clicks,
    count(*) filter (passed_over) as passed_over,
    count(*) filter (reached) as reached,
    count(*) filter (clicked and position = last_click) as last_clicks,
    count(*) filter (clicked and preferred) as preferred,
from {{ log }}
group by query_id, doc_id, position
{%- endmacro %}
