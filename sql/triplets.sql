-- One row per training example: a query, a positive and a kept negative with their texts, the distances between them,
-- and the strategy that chose the negative.
select
    query_id,
    positive_id,
    doc_id as negative_id,
    queries.text as query,
    positives.text as positive,
    documents.text as negative,
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
join {{ ref('texts') }} as queries on queries.kind = 'query' and queries.id = query_id
join {{ ref('texts') }} as positives on positives.kind = 'document' and positives.id = positive_id
join {{ ref('texts') }} as documents on documents.kind = 'document' and documents.id = doc_id
where exclusion_reason is null
order by query_id, positive_id, strategy, selected_rank
