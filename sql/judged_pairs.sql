-- One row per query and document that the judge is asked about, for a sample of the queries that negatives are mined
-- for: the same ones as long as they exist (chosen by a stable hash). Of each, the first 100 positives, and the
-- judge_depth best candidates by fused score that are neither known positives nor copies of one. Every such candidate
-- may be kept by a strategy, and the best are the likeliest to be right.
{%- set queries, depth = var('judge_queries', 500), var('judge_depth', 10) %}
with sampled as (
    select query_id
    from {{ ref('positives') }}
    group by query_id
    order by {{ hash_fraction('query_id', 'judge') }}, query_id
    {%- if queries is not none %}
    limit {{ whole_number_var('judge_queries', queries, optional=true) }}
    {%- endif %}
),

candidates as (
    select query_id, doc_id, max(fused_score) as score  -- the same for every positive of the query
    from {{ ref('scored_candidates') }}
    semi join sampled using (query_id)
    where not {{ is_right_answer() }}
    group by query_id, doc_id
),

pairs as (
    select query_id, doc_id, true as is_positive, positive_rank as place
    from {{ ref('positives') }}
    semi join sampled using (query_id)
    where positive_rank <= 100
    union all
    select query_id, doc_id, false, row_number() over (partition by query_id order by score desc, doc_id) as place
    from candidates
    qualify place <= {{ whole_number_var('judge_depth', depth) }}
)

select
    query_id,
    doc_id,
    'judge' as retriever,
    (row_number() over (partition by query_id order by is_positive desc, place))::integer as rank,
    is_positive,
from pairs
