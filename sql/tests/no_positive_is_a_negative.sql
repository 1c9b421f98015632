-- A positive of a query is never kept as its negative, whichever positive the negative was mined for.
select negatives.query_id, negatives.positive_id, negatives.doc_id, negatives.strategy
from {{ ref('negatives') }} as negatives
join {{ ref('positives') }} as positives using (query_id, doc_id)
where exclusion_reason is null
