-- One row per retriever and another one (or 'any_other': all others together): how much their first overlap_depth
-- documents have in common, as means over the queries that negatives are mined for.
-- jaccard: shared documents / documents of either. unique_share: of the retriever's own documents, those that the other
-- does not have; against 'any_other', that is the retriever's own contribution to the pool.
with top as (
    select retriever, query_id, doc_id
    from {{ ref('candidates') }}
    where
        retriever <> 'random'
        and rank <= {{ var('overlap_depth', 10) }}
        and query_id in (select query_id from {{ ref('positives') }})
),

retrievers as (
    select unnest({{ var('retrievers') }}) as retriever
),

opponents as (
    select one.retriever, unnest([other.retriever, 'any_other']) as other, other.retriever as member
    from retrievers as one
    join retrievers as other on one.retriever <> other.retriever
),

found as (
    select retriever, other, query_id, doc_id, bool_or(own) as by_retriever, bool_or(not own) as by_other
    from (
        select retriever, other, query_id, doc_id, true as own
        from (select distinct retriever, other from opponents)
        join top using (retriever)
        union all
        select opponents.retriever, other, query_id, doc_id, false
        from opponents
        join top on top.retriever = member
    )
    group by all
),

compared as (
    select
        retriever,
        other,
        query_id,
        count(*) filter (by_retriever and by_other) / count(*) as jaccard,
        count(*) filter (not by_other) / nullif(count(*) filter (by_retriever), 0) as unique_share,
    from found
    group by retriever, other, query_id
)

select
    retriever,
    other,
    {{ var('overlap_depth', 10) }} as depth,
    count(*) as queries,
    {{ exact_avg('jaccard') }} as jaccard,
    {{ exact_avg('unique_share') }} as unique_share,
from compared
group by retriever, other
