-- One row per strategy and step, in the order of the rules: step 0 is what the strategy considered, then what each rule
-- removed and why, last what was kept. share: of the considered candidates. remaining: candidates left after the step.
with reasons as (
    select strategy, exclusion_step as step, exclusion_reason as reason, count(*) as candidates
    from {{ ref('negatives') }}
    group by all
),

steps as (
    select strategy, 0 as step, 'considered' as reason, sum(candidates)::bigint as candidates, 0 as removed
    from reasons
    group by strategy
    union all
    select strategy, step, reason, candidates, candidates
    from reasons
    where reason is not null
    union all
    select strategy, max(coalesce(step, 0)) + 1, 'kept', coalesce(sum(candidates) filter (reason is null), 0)::bigint, 0
    from reasons
    group by strategy
)

select
    strategy,
    step,
    reason,
    candidates,
    candidates / first_value(candidates) over in_order as share,
    (first_value(candidates) over in_order - sum(removed) over in_order)::bigint as remaining,
from steps
window in_order as (partition by strategy order by step)
