-- One row per evaluation query and document of its frozen first-stage list, which every model reranks: the first
-- evaluation_depth of BM25. A right answer that BM25 missed stays missed.
select query_id, doc_id, retriever, rank, score
from {{ ref('candidates_bm25') }}
where
    rank <= {{ var('evaluation_depth', 50) }}
    and query_id in (select query_id from {{ ref('evaluation_queries') }})
