-- One row per judgment that names a query or a document which this project does not have, and why.
select query_id, doc_id, grade, problem
from ({{ with_problem(source('collection', 'judgments')) }})
where problem is not null
