-- One row: what the ensemble's PCA changed. Compares the cosines of `ensemble` with those of `ensemble_exact`, the same
-- models fused without centring and reduction (the weighted mean of the models' cosines), over all candidates of 200
-- queries, chosen by a hash of their ids. No stage of the default pipeline: docs/retrieval.md says how to add it.
--
-- mean_difference, mean_absolute_difference, max_absolute_difference: of the ensemble's cosine minus the exact one.
-- rank_correlation: Spearman's, over a query's candidates, equal cosines having the mean of their ranks; the mean over
-- queries with at least two different cosines. top_10_overlap: share of the exact first ten that are among the
-- ensemble's first ten; the mean over queries.
with asked as (
    select query_id
    from (select distinct query_id from {{ ref('candidates') }})
    order by md5(query_id), query_id
    limit 200
),

pairs as (
    select distinct query_id, doc_id
    from {{ ref('candidates') }}
    where query_id in (select query_id from asked)
),

{%- for name in ['ensemble', 'ensemble_exact'] %}
{{ name }}_cosines as (
    select query_id, doc_id, 1 - {{ cosine_distance('queries.vector::float[]', 'documents.vector::float[]') }} as cosine
    from pairs
    join {{ ref(name) }} as queries on queries.kind = 'query' and queries.id = query_id
    join {{ ref(name) }} as documents on documents.kind = 'document' and documents.id = doc_id
),
{% endfor %}
compared as (
    select
        query_id,
        ensemble_cosines.cosine::double as made,
        ensemble_exact_cosines.cosine::double as exact,
        {%- for name, place in [('ensemble_cosines', 'made_rank'), ('ensemble_exact_cosines', 'exact_rank')] %}
        rank() over (partition by query_id order by {{ name }}.cosine desc)
            + (count(*) over (partition by query_id, {{ name }}.cosine) - 1) / 2 as {{ place }},
        row_number() over (partition by query_id order by {{ name }}.cosine desc, doc_id) as {{ place }}_alone,
        {%- endfor %}
    from ensemble_cosines
    join ensemble_exact_cosines using (query_id, doc_id)
),

-- Ranks are multiples of one half, so that these sums are exact in any order.
by_query as (
    select
        query_id,
        count(*) * sum(made_rank * exact_rank) - sum(made_rank) * sum(exact_rank) as covariance,
        count(*) * sum(made_rank ** 2) - sum(made_rank) ** 2 as made_variance,
        count(*) * sum(exact_rank ** 2) - sum(exact_rank) ** 2 as exact_variance,
        covariance / nullif(sqrt(made_variance) * sqrt(exact_variance), 0) as correlation,
        count(*) filter (made_rank_alone <= 10 and exact_rank_alone <= 10) / least(count(*), 10) as overlap,
    from compared
    group by query_id
)

select
    queries,
    pairs,
    mean_difference,
    mean_absolute_difference,
    max_absolute_difference,
    rank_correlation,
    top_10_overlap,
from (
    select
        count(*) as pairs,
        {{ exact_avg('made - exact') }} as mean_difference,
        {{ exact_avg('abs(made - exact)') }} as mean_absolute_difference,
        max(abs(made - exact)) as max_absolute_difference,
    from compared
)
cross join (
    select
        count(*) as queries,
        {{ exact_avg('correlation') }} as rank_correlation,
        {{ exact_avg('overlap') }} as top_10_overlap,
    from by_query
)
