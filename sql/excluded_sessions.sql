-- One row per session whose clicks are no evidence, because no person looks at so much, and why. The limits are the
-- vars max_session_impressions and max_session_clicks.
with sessions as (
    select
        session_id,
        count(*) as impressions,
        count(*) filter (clicked) as clicks,
        count(distinct query_id) as queries,
        min(shown_at) as first_shown_at,
        max(shown_at) as last_shown_at,
    from {{ ref('impressions') }}
    group by session_id
)

select *, {{ session_limits() or 'null::varchar' }} as reason,
from sessions
where reason is not null
