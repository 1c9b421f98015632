-- One row per text that a model reads away from home: the documents of the first-stage lists (title, new line, text) and
-- the queries. text_hash: MD5 of the text, as in texts.
with unhashed as (
    select 'document' as kind, doc_id as id, if(title = '', text, title || chr(10) || text) as text
    from {{ ref('away_corpus') }}
    where doc_id in (select doc_id from {{ ref('away_first_stage') }})
    union all
    select 'query', query_id, text
    from {{ ref('away_queries') }}
)

select kind, id, text, md5(text) as text_hash
from unhashed
