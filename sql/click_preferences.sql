-- One row per query and two documents of which somebody clicked the first and passed over the second, which stood above
-- it: skip-above preferences (Joachims, "Optimizing Search Engines using Clickthrough Data", KDD 2002). Which impressions
-- count, and what is a click and what was passed over, is in macros/counted_impressions.sql.
--
-- sessions: those that say so; opposed: those that say the opposite, when the two stood the other way round. lower_bound:
-- Wilson's bound of sessions / (sessions + opposed), as if these were independent. A session counts once for a pair.
with log as (
    {{ counted_impressions() | indent }}
),

preferences as (
    select
        query_id,
        preferred.doc_id as preferred_id,
        skipped.doc_id as skipped_id,
        count(distinct session_id) as sessions,
    from log as preferred
    join log as skipped using (session_id, query_id)
    where
        preferred.clicked
        and skipped.passed_over
        and skipped.position < preferred.position
        and skipped.doc_id <> preferred.doc_id
    group by query_id, preferred_id, skipped_id
)

select
    query_id,
    preferred_id,
    skipped_id,
    preferences.sessions,
    coalesce(opposite.sessions, 0) as opposed,
    {{ wilson_lower_bound('preferences.sessions', '(preferences.sessions + opposed)') | indent(4) }} as lower_bound,
from preferences
left join (
    select query_id, preferred_id as skipped_id, skipped_id as preferred_id, sessions
    from preferences
) as opposite using (query_id, preferred_id, skipped_id)
