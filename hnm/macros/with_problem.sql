{# The rows of `relation` (with query_id and doc_id) and what is wrong with each row's ids:
   null, unknown_query, unknown_document (the source does not have it), query_left_out or document_left_out
   (the source has it, the project's stage of that name does not). #}
{% macro with_problem(relation) -%}
select
    r.*,
    case
        when (query_id in (select query_id from {{ source('collection', 'queries') }})) is not true then 'unknown_query'
        when (doc_id in (select doc_id from {{ source('collection', 'corpus') }})) is not true then 'unknown_document'
        when (query_id in (select query_id from {{ ref('queries') }})) is not true then 'query_left_out'
        when (doc_id in (select doc_id from {{ ref('corpus') }})) is not true then 'document_left_out'
    end as problem,
from {{ relation }} as r
{%- endmacro %}
