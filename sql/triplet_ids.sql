-- One row per training example: the ids of a query, a positive and a kept negative, the distances between them, and the
-- strategy that chose the negative. Their texts are joined to them in `triplets`.
select
    query_id,
    positive_id,
    doc_id as negative_id,
    d_query_doc,
    d_query_positive,
    d_positive_doc,
    fused_score,
    strategy,
    selected_rank,
    weight,
    negatives.split,
from {{ ref('negatives') }} as negatives
join (select query_id, doc_id as positive_id, weight from {{ ref('positives') }}) using (query_id, positive_id)
where exclusion_reason is null
