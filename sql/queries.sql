-- One row per query, with its split: train, dev, test, or unjudged (nothing says whether an answer to it is right, so
-- it is of no use to training or evaluation). Splits come from, in this order:
--   1. the query itself;
--   2. its judgments; where those name several splits, the one furthest from training (test, dev, train), so that
--      nothing is tested that was trained on;
--   3. train, when other queries have a split and this one has judgments or may have clicks.
-- Then what the source lacks is cut out by a stable hash of the id: with a single split or none, 80 % train, 10 % dev
-- and 10 % test; without test, half of dev; without train, 80 % of dev; without dev, 10 % of train.
-- Last, queries that ask the same share one split, of theirs the one furthest from training: case, punctuation and white
-- space make no difference.
-- Every query keeps its split when others come or go (unless a split, or another query that asks the same, appears or
-- vanishes with them).
{%- set clicked = var('positives_from') == 'clicks' %}
{%- set cap = var('max_train_queries', none) %}
with judged as (
    {%- if var('judgments_from', 'source') == 'source' %}
    select query_id, max_by(split, coalesce(list_position(['train', 'dev', 'test'], split), 4)) as split
    from (select query_id, nullif(split, '') as split from {{ source('collection', 'judgments') }})
    group by query_id
    {%- else %}
    select null::varchar as query_id, null::varchar as split
    where false
    {%- endif %}
),

given as (
    select
        query_id,
        {{ trimmed('text') }} as text,
        coalesce(nullif(queries.split, ''), judged.split) as split,
        judged.query_id is not null or {{ clicked | lower }} as usable,
    from {{ source('collection', 'queries') }} as queries
    left join judged using (query_id)
),

completed as (
    select
        query_id,
        text,
        if(usable and exists (from given where split is not null), coalesce(split, 'train'), split) as split,
        usable,
        {{ hash_fraction('query_id', 'split ' ~ var('split_seed', 0)) }} as fraction,
    from given
),

known as (
    select coalesce(list(distinct split), []) as splits
    from completed
    where split is not null
),

assigned as (
    select
        query_id,
        text,
        case
            when split is null and not usable then 'unjudged'
            when len(splits) <= 1 and fraction < 0.8 then 'train'
            when len(splits) <= 1 then if(fraction < 0.9, 'dev', 'test')
            when split = 'dev' and 'test' not in splits then if(fraction < 0.5, 'test', 'dev')
            when split = 'dev' and 'train' not in splits then if(fraction < 0.8, 'train', 'dev')
            when split = 'train' and 'dev' not in splits then if(fraction < 0.1, 'dev', 'train')
            else split
        end as split,
    from completed, known
),

together as (
    select
        query_id,
        text,
        if(
            split = 'unjudged',
            split,
            max_by(split, coalesce(list_position(['train', 'dev', 'test'], split), 4)) filter (split <> 'unjudged')
                over (partition by {{ same_text('text') }})
        ) as split,
    from assigned
)

select query_id, text, split
from together
{%- if cap is not none %}
qualify
    split <> 'train'
    or row_number() over (partition by split order by {{ hash_fraction('query_id', 'cap') }}, query_id)
        <= {{ whole_number_var('max_train_queries', cap, optional=true) }}
{%- endif %}
