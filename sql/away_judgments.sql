-- One row per judged pair of the queries away from home. The split is `away`, so that nobody takes their values for those
-- of the project's own test queries.
select query_id, doc_id, max(grade)::integer as grade, 'away' as split
from {{ source(var('away', 'away'), 'judgments') }}
semi join {{ ref('away_queries') }} as queries using (query_id)
semi join {{ ref('away_corpus') }} as corpus using (doc_id)
group by query_id, doc_id
