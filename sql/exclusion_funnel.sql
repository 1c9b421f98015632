-- One row per strategy and step, in the order of the rules: step 0 is what the strategy considered, then what each rule
-- removed and why, last what was kept. rows: candidates of the step; share: of those considered; remaining: those left
-- after the step.
with reasons as (
    select strategy, exclusion_step as step, exclusion_reason as reason, count(*) as rows
    from {{ ref('negatives') }}
    group by all
),

steps as (
    select strategy, 0 as step, 'considered' as reason, sum(rows)::bigint as rows, 0 as removed
    from reasons
    group by strategy
    union all
    select strategy, step, reason, rows, rows
    from reasons
    where reason is not null
    union all
    select strategy, max(coalesce(step, 0)) + 1, 'kept', coalesce(sum(rows) filter (reason is null), 0)::bigint, 0
    from reasons
    group by strategy
)

select
    strategy,
    step,
    reason,
    rows,
    rows / first_value(rows) over in_order as share,
    (first_value(rows) over in_order - sum(removed) over in_order)::bigint as remaining,
from steps
window in_order as (partition by strategy order by step)
