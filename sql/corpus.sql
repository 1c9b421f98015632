-- One row per document that may be retrieved.
-- The place to clean: drop boilerplate, keep one language, rewrite titles. What is left out here is left out
-- everywhere.
select
    doc_id,
    {{ trimmed('title') }} as title,
    {{ trimmed('text') }} as text,
    metadata,
from {{ source('collection', 'corpus') }}
