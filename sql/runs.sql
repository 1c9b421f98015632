-- One row per evaluation query, document and run: the first stage itself (bm25) and each reranked form of it.
select query_id, doc_id, 'bm25' as retriever, rank, score
from {{ ref('first_stage') }}
{%- for name in var('evaluated') %}
union all
select query_id, doc_id, '{{ name }}', rank, score
from {{ ref('reranked_' ~ name) }}
{%- endfor %}
