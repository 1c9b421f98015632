-- A positive of a query, or of one that asks the same, is never kept as its negative, whichever positive the negative was
-- mined for.
select negatives.query_id, negatives.positive_id, negatives.doc_id, negatives.strategy
from {{ ref('negatives') }} as negatives
join {{ ref('right_answers') }} as right_answers using (query_id, doc_id)
where exclusion_reason is null
