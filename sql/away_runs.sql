-- One row per query away from home, document and run: the first stage (bm25) and each reranked form of it.
select query_id, doc_id, retriever, rank, score, null::varchar as model_version, null::varchar as dataset_version
from {{ ref('away_first_stage') }}
{%- for name in var('evaluated') %}
union all
select query_id, doc_id, '{{ name }}', rank, score, model_version, dataset_version
from {{ ref('away_reranked_' ~ name) }}
{%- endfor %}
