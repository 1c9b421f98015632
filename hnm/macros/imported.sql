{# Imported triplets as candidates of this project's queries. Texts decide which query and document are meant, without
   regard to case and white space: ids of elsewhere mean nothing here. One row per query and document; rank follows the
   order of the import, and score is 1 / rank. #}
{% macro imported_candidates(name) -%}
with matched as (
    select query_ids.id as query_id, document_ids.id as doc_id, min(selected_rank) as place
    from ({{ imported_with_hashes(name) }})
    join {{ ids_by_text('query') }} as query_ids on query_ids.normalized_hash = query_hash
    join {{ ids_by_text('document') }} as document_ids on document_ids.normalized_hash = negative_hash
    group by all
)

select
    query_id,
    doc_id,
    '{{ name }}' as retriever,
    row_number() over (partition by query_id order by place nulls last, doc_id)::integer as rank,
    (1 / rank)::float as score,
from matched
{%- endmacro %}

{# Imported triplets whose query or negative this project does not have, with the `problem`. #}
{% macro imported_unknown(name) -%}
select
    query_id,
    negative_id,
    query,
    case when query_ids.id is null then 'unknown_query' else 'unknown_document' end as problem,
from ({{ imported_with_hashes(name) }})
left join {{ ids_by_text('query') }} as query_ids on query_ids.normalized_hash = query_hash
left join {{ ids_by_text('document') }} as document_ids on document_ids.normalized_hash = negative_hash
where query_ids.id is null or document_ids.id is null
{%- endmacro %}

{% macro imported_with_hashes(name) -%}
select *, md5({{ normalized('query') }}) as query_hash, md5({{ normalized('negative') }}) as negative_hash
from {{ source(name, 'triplets') }}
{%- endmacro %}

{# The first id of every text: copies of a text are one. #}
{% macro ids_by_text(kind) -%}
(select normalized_hash, min(id) as id from {{ ref('texts') }} where kind = '{{ kind }}' group by normalized_hash)
{%- endmacro %}
