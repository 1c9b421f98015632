-- One row per strategy, retriever and range of ranks: how many of the strategy's negatives the retriever had there.
with ranks as (
    {%- for retriever in var('retrievers') %}
    {%- if not loop.first %}
    union all
    {%- endif %}
    select strategy, '{{ retriever }}' as retriever, rank_{{ retriever }} as rank
    from {{ ref('negative_measures') }}
    {%- endfor %}
),

ranges as (
    from (values
        (1, '1-3', 1, 3), (2, '4-10', 4, 10), (3, '11-30', 11, 30), (4, '31-100', 31, 100), (5, 'over 100', 101, null)
    ) as ranges (range_order, range, first, last)
    union all
    select 6, 'not returned', null, null
),

counted as (
    select strategy, retriever, range_order, range, count(*) as negatives
    from ranks
    join ranges on if(rank is null, first is null, rank >= first and rank <= coalesce(last, rank))
    group by all
)

select
    strategy,
    retriever,
    range_order,
    range,
    negatives,
    negatives / sum(negatives) over (partition by strategy, retriever) as share,
from counted
