-- One row per document of the collection away from home, which no model of the project is trained on.
select
    doc_id,
    {{ trimmed('title') }} as title,
    {{ trimmed('text') }} as text,
    metadata,
from {{ source(var('away', 'away'), 'corpus') }}
