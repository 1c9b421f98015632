-- One row per document shown to somebody for a query, clicked or not: the click log, for known queries and documents.
-- What is left out stands in unknown_impressions.
select
    session_id,
    query_id,
    doc_id,
    position::integer as position,
    clicked::boolean as clicked,
    dwell_seconds::float as dwell_seconds,
    shown_at::timestamp as shown_at,
    ranker,
from ({{ with_problem(source('clicks', 'impressions')) }})
where problem is null
