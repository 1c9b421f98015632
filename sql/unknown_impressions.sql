-- One row per impression that names a query or a document which this project does not have, and why.
select session_id, query_id, doc_id, position, problem
from ({{ with_problem(source('clicks', 'impressions')) }})
where problem is not null
