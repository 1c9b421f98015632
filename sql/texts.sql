-- One row per text to encode: every document (title, new line, text) and every query.
-- text_hash: MD5 of the text. normalized_hash: equal for texts that differ in case and white space only.
with unhashed as (
    select 'document' as kind, doc_id as id, if(title = '', text, title || chr(10) || text) as text
    from {{ ref('corpus') }}
    union all
    select 'query', query_id, text
    from {{ ref('queries') }}
)

select kind, id, text, md5(text) as text_hash, md5({{ normalized('text') }}) as normalized_hash
from unhashed
