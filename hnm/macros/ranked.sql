{# The rank of a candidate within its pair of query and positive by a score, from 1, ties by document id. Positives and
   their copies take no rank from the others. #}
{% macro ranked(by) -%}
row_number() over (
    partition by query_id, positive_id, {{ is_right_answer() }} order by {{ by }} desc, doc_id
)
{%- endmacro %}
