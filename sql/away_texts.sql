-- One row per text that a model reads away from home: the documents of the first-stage lists (title, new line, text) and
-- the queries.
select 'document' as kind, doc_id as id, if(title = '', text, title || chr(10) || text) as text
from {{ ref('away_corpus') }}
where doc_id in (select doc_id from {{ ref('away_first_stage') }})
union all
select 'query', query_id, text
from {{ ref('away_queries') }}
