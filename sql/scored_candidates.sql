-- One row per query, positive and candidate: what every retriever says of the candidate, and how the three lie to each
-- other. Candidates are all documents that any retriever returned for the query, its random documents,
-- and the negatives that were imported for it.
--
-- rank_*, score_*: null where the retriever did not return the document. agreement: how many retrievers did (random
-- and imported
-- ones do not count). rrf: reciprocal rank fusion. Distances are cosine distances of ensemble vectors, and fused_score
-- is the cosine of query and document. lexical_overlap: Jaccard index of the words of query and document.
-- is_known_positive: the candidate is a right answer of the query (see right_answers). is_positive_copy: its text is that
-- of one of them. is_near_positive: it lies beyond the var max_cosine_to_positive or max_jaccard_to_positive to one of
-- those that are mined for (no such column without these vars). fused_*: one column per entry of the var `fusions`, see
-- fused_columns.
--
-- Vectors are compared as lists: DuckDB copies fixed-size arrays through joins number by number, at ten times the cost.
-- A query's right answers come as lists too: they are few, and two more joins of all candidates would cost more.
{%- set retrievers = var('retrievers') %}
{%- set fusions = var('fusions', []) %}
{%- set others = ['random'] + var('imported', []) %}
with pooled as (
    select
        query_id,
        doc_id,
        {%- for retriever in retrievers + others %}
        min(rank) filter (retriever = '{{ retriever }}') as rank_{{ retriever }},
        {%- endfor %}
        {%- for retriever in retrievers %}
        max(score) filter (retriever = '{{ retriever }}') as score_{{ retriever }},
        {%- endfor %}
        (count(*) filter (retriever not in ('{{ others | join("', '") }}')))::integer as agreement,
    from {{ ref('candidates') }}
    where query_id in (select query_id from {{ ref('positives') }})
    group by query_id, doc_id
),
{%- if fusions %}

scaled as (
    select
        *,
        {{ scaled_scores(retrievers) | indent(8) }}
    from pooled
),

fused as (
    select
        * exclude (scaled_{{ retrievers | join(', scaled_') }}),
        {{ fused_columns(fusions, retrievers) | indent(8) }}
    from scaled
),
{%- endif %}

documents as (
    select id as doc_id, vector::float[] as vector, normalized_hash, {{ word_hashes('text') }} as words
    from {{ ref('ensemble') }} as ensemble
    join {{ ref('texts') }} as texts using (kind, id)
    where
        kind = 'document'
        and id in (select doc_id from {{ ref('candidates') }} union select doc_id from {{ ref('positives') }})
),

questions as (
    select id as query_id, vector::float[] as vector, {{ word_hashes('text') }} as words
    from {{ ref('ensemble') }} as ensemble
    join {{ ref('texts') }} as texts using (kind, id)
    where
        kind = 'query'
        and id in (select query_id from {{ ref('positives') }})
),

known as (
    select query_id, list(doc_id) as known_ids, list(normalized_hash) as known_hashes
    from {{ ref('right_answers') }}
    group by query_id
),

pairs as (
    select
        query_id,
        doc_id as positive_id,
        split,
        questions.vector as query_vector,
        questions.words as query_words,
        documents.vector as positive_vector,
        documents.words as positive_words,
        {{ cosine_distance('questions.vector', 'documents.vector') }} as d_query_positive,
        known_ids,
        known_hashes,
    from {{ ref('positives') }}
    join questions using (query_id)
    join documents using (doc_id)
    join known using (query_id)
    where positive_rank <= {{ whole_number_var('positives_per_query', var('positives_per_query', 4)) }}
),

compared as (
    select
        pooled.*,
        positive_id,
        split,
        {{ cosine_distance('query_vector', 'documents.vector') }} as d_query_doc,
        d_query_positive,
        {{ cosine_distance('positive_vector', 'documents.vector') }} as d_positive_doc,
        {{ jaccard('query_words', 'documents.words') | indent(8) }} as lexical_overlap,
        list_contains(known_ids, doc_id) as is_known_positive,
        list_contains(known_hashes, normalized_hash) as is_positive_copy,
        {%- if knows_near_duplicates() %}
        {{ near_positive('documents.words', 'positive_words', 'd_positive_doc') | indent(8) }} as is_near_this_one,
        {%- endif %}
    from {{ 'fused as pooled' if fusions else 'pooled' }}
    join pairs using (query_id)
    join documents using (doc_id)
)

select
    query_id,
    positive_id,
    doc_id,
    split,
    compared.* exclude (
        query_id, positive_id, doc_id, split, is_known_positive, is_positive_copy
        {{- ', is_near_this_one' if knows_near_duplicates() }}
    ),
    (1 - d_query_doc)::float as fused_score,
    {{ reciprocal_rank_fusion(retrievers, rrf_k()) }} as rrf,
    is_known_positive,
    is_positive_copy,
    {%- if knows_near_duplicates() %}
    bool_or(is_near_this_one) over (partition by query_id, doc_id) as is_near_positive,
    {%- endif %}
from compared
