-- One row per judged pair of a known query and a known document, in the split of the query. A pair that was judged
-- several times has the highest of its grades. What is left out stands in unknown_judgments.
select query_id, doc_id, max(grade)::integer as grade, queries.split
from ({{ with_problem(source('collection', 'judgments')) }}) as judgments
join {{ ref('queries') }} as queries using (query_id)
where problem is null
group by query_id, doc_id, queries.split
