-- One row per query, document and retriever that returned it: all retrievers' lists, the random documents, and
-- what was imported as negatives.
{{- check_names_var('retrievers', var('retrievers')) }}
{%- for retriever in var('retrievers') + ['random'] + var('imported', []) %}
{%- if not loop.first %}
union all
{%- endif %}
select query_id, doc_id, '{{ retriever }}' as retriever, rank, score
from {{ ref('candidates_' ~ retriever) }}
{%- endfor %}
