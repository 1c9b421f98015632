{# The rows of `relation` (with query_id and doc_id) and what is wrong with each row's ids:
   null, unknown_query, unknown_document (the source does not have it), query_left_out or document_left_out
   (the source has it, the project's stage of that name does not). #}
{% macro with_problem(relation) -%}
select
    r.*,
    case
        when query_id not in (select query_id from {{ source('collection', 'queries') }}) then 'unknown_query'
        when doc_id not in (select doc_id from {{ source('collection', 'corpus') }}) then 'unknown_document'
        when query_id not in (select query_id from {{ ref('queries') }}) then 'query_left_out'
        when doc_id not in (select doc_id from {{ ref('corpus') }}) then 'document_left_out'
    end as problem,
from {{ relation }} as r
{%- endmacro %}
