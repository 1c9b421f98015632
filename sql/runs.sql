-- One row per evaluation query, document and run: the first stage, each reranked form of it, and the lists of the other
-- retrievers, cut at the same depth, because a reranker is worth its time only where it beats all of them.
{{- check_names_var('evaluated', var('evaluated')) }}
{%- set first = var('evaluation_first_stage', 'bm25') %}
select query_id, doc_id, retriever, rank, score, null::varchar as model_version, null::varchar as dataset_version
from {{ ref('first_stage') }}
{%- for name in var('retrievers') if name != first %}
union all
select query_id, doc_id, '{{ name }}', rank, score, null, null
from ({{ ranked_list(name) | indent(4) }})
{%- endfor %}
{%- for name in var('evaluated') %}
union all
select query_id, doc_id, '{{ name }}', rank, score, model_version, dataset_version
from {{ ref('reranked_' ~ name) }}
{%- endfor %}
