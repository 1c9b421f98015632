-- One row per strategy and query that negatives were mined for: how good the query's negatives are. Queries that a
-- strategy left empty have negatives = 0 and nulls. Measures: see negative_measures, of which these are means.
-- diversity: mean cosine distance (1 - cosine) between two of the query's different negatives; null for fewer than two.
with mined as (
    select query_id, split, count(*) as pairs
    from {{ ref('positives') }}
    where positive_rank <= {{ whole_number_var('positives_per_query', var('positives_per_query', 4)) }}
    group by query_id, split
),

strategies as (
    select unnest({{ var('strategies') | map(attribute='name') | list }}) as strategy
),

means as (
    select
        strategy,
        query_id,
        count(distinct positive_id) as pairs_with_negatives,
        count(*) as negatives,
        {{ mean_measures() | indent(8) }}
    from {{ ref('negative_measures') }}
    group by strategy, query_id
),

chosen as (
    select distinct strategy, query_id, doc_id, vector::float[] as vector
    from {{ ref('negative_measures') }}
    join {{ ref('ensemble') }} as ensemble on kind = 'document' and id = doc_id
),

diversities as (
    select strategy, query_id, {{ exact_avg(cosine_distance('one.vector', 'other.vector')) }} as diversity
    from chosen as one
    join chosen as other using (strategy, query_id)
    where one.doc_id < other.doc_id
    group by strategy, query_id
)

select
    strategy,
    query_id,
    split,
    pairs,
    coalesce(pairs_with_negatives, 0) as pairs_with_negatives,
    coalesce(negatives, 0) as negatives,
    means.* exclude (strategy, query_id, pairs_with_negatives, negatives),
    diversity,
from mined
cross join strategies
left join means using (strategy, query_id)
left join diversities using (strategy, query_id)
