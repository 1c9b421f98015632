-- One row per retriever and another one (or 'any_other': all others together): how much their first overlap_depth
-- documents have in common, as means over the queries that negatives are mined for.
-- jaccard: shared documents / documents of either. unique_share: of the retriever's own documents, those that the other
-- does not have; against 'any_other', that is the retriever's own contribution to the pool.
--
-- A set of retrievers is a number with one bit for each: every document is grouped once, whatever the number of pairs.
{%- set retrievers = var('retrievers') %}
with retrievers as (
    select unnest({{ retrievers }}) as retriever, unnest(range({{ retrievers | length }})) as place
),

opponents as (
    select
        one.retriever,
        unnest([other.retriever, 'any_other']) as other,
        1::hugeint << one.place as own,
        1::hugeint << other.place as theirs,
    from retrievers as one
    join retrievers as other on one.retriever <> other.retriever
),

pairs as (
    select retriever, other, own, bit_or(theirs) as theirs
    from opponents
    group by retriever, other, own
),

found as (
    select query_id, doc_id, bit_or(1::hugeint << place) as finders
    from {{ ref('candidates') }}
    join retrievers using (retriever)
    where
        rank <= {{ whole_number_var('overlap_depth', var('overlap_depth', 10)) }}
        and query_id in (select query_id from {{ ref('positives') }})
    group by query_id, doc_id
),

compared as (
    select
        retriever,
        other,
        query_id,
        count(*) filter (by_retriever and by_other) / count(*) as jaccard,
        count(*) filter (not by_other) / nullif(count(*) filter (by_retriever), 0) as unique_share,
    from (
        select retriever, other, query_id, (finders & own) <> 0 as by_retriever, (finders & theirs) <> 0 as by_other
        from found
        cross join pairs
    )
    where by_retriever or by_other
    group by retriever, other, query_id
)

select
    retriever,
    other,
    {{ whole_number_var('overlap_depth', var('overlap_depth', 10)) }} as depth,
    count(*) as queries,
    {{ exact_avg('jaccard') }} as jaccard,
    {{ exact_avg('unique_share') }} as unique_share,
from compared
group by retriever, other
