-- One row per known positive that is hidden from the mining (var hide_positives): it is neither protected nor mined for,
-- so that a strategy that keeps it as a negative is seen to err.
select query_id, doc_id, weight, origin, split
from ({{ accepted_positives() | indent }})
where is_hidden
