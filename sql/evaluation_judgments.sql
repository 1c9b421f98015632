-- One row per judged pair of the queries that models are evaluated on.
select query_id, doc_id, grade, split
from {{ ref('judgments') }}
where query_id in (select query_id from {{ ref('evaluation_queries') }})
