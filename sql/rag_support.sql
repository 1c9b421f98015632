-- One row per run, and how many documents of it are given to a language model (1, 3, 5): for what share of the queries a
-- right answer is among them, when all must fit into rag_token_budget tokens together. Documents are taken in the
-- order of the run, until one does not fit: it and all after it are left out. Tokens as counted in document_tokens.
with systems as (
    select distinct retriever
    from {{ ref('runs') }}
),

queries as (
    select query_id, any_value(split) as split
    from {{ ref('evaluation_judgments') }}
    group by query_id
    having max(grade) > 0
),

filled as (
    select
        retriever,
        query_id,
        doc_id,
        rank,
        sum(tokens) over (partition by retriever, query_id order by rank) as tokens_so_far,
    from {{ ref('runs') }}
    join {{ ref('document_tokens') }} using (doc_id)
    where rank <= 5
),

given as (
    select
        systems.retriever,
        queries.query_id,
        queries.split,
        top,
        count(filled.doc_id) as documents,
        coalesce(max(tokens_so_far), 0) as tokens,
        coalesce(bool_or(judgments.grade > 0), false) as supported,
    from systems
    cross join queries
    cross join (select unnest([1, 3, 5]) as top)
    left join filled
        on filled.retriever = systems.retriever
        and filled.query_id = queries.query_id
        and filled.rank <= top
        and tokens_so_far <= {{ whole_number_var('rag_token_budget', var('rag_token_budget', 2000)) }}
    left join {{ ref('evaluation_judgments') }} as judgments
        on judgments.query_id = queries.query_id
        and judgments.doc_id = filled.doc_id
    group by systems.retriever, queries.query_id, queries.split, top
)

select
    retriever as model,
    split,
    top,
    {{ whole_number_var('rag_token_budget', var('rag_token_budget', 2000)) }} as token_budget,
    count(*) as queries,
    count(*) filter (supported) / count(*) as supported,
    {{ exact_avg('documents') }} as documents,
    {{ exact_avg('tokens') }} as tokens,
from given
group by retriever, split, top
