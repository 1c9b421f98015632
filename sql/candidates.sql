-- One row per query, document and retriever that returned it: all retrievers' lists, and the random documents.
{%- for retriever in var('retrievers') + ['random'] %}
{%- if not loop.first %}
union all
{%- endif %}
select query_id, doc_id, '{{ retriever }}' as retriever, rank, score
from {{ ref('candidates_' ~ retriever) }}
{%- endfor %}
