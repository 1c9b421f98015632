-- One row per kept negative: query, positive, negative and strategy, with what can be measured of it. The statistics of
-- negative_quality and negative_quality_by_query are means over these rows.
--
-- With s the fused score and p* the query's best positive (of those that negatives were mined for, and of the others
-- that are among the candidates): hardness = s(q, n) / s(q, p*), null where the best positive has no positive score;
-- margin = s(q, p*) - s(q, n); is_inverted: the negative scores above p*. slack_1 and slack_2 are by how much the
-- paper's two conditions hold for the pair's own positive p (arXiv 2505.18366): d(q, p) - d(q, n) and d(p, n) - d(q,
-- n). agreement: share of the retrievers that returned the negative. Lexical overlaps are Jaccard indices of words.
-- is_near_duplicate: cosine to the positive of at least near_duplicate_cosine. is_label_conflict: it is a positive of
-- the query (must never be). is_judged_positive: a judgment calls it an answer, whether the mining knew of that
-- judgment or not: a false negative.
{%- set retrievers = var('retrievers') %}
with kept as (
    select query_id, positive_id, doc_id, strategy, selected_rank
    from {{ ref('negatives') }}
    where exclusion_reason is null
),

document_words as (
    select id, {{ word_hashes('text') }} as words
    from {{ ref('texts') }}
    where
        kind = 'document'
        and id in (select positive_id from kept union select doc_id from kept)
),

known_positives as (
    select query_id, doc_id
    from {{ ref('positives') }}
),

best_positive as (
    select
        query_id,
        1 - min(least(d_query_positive, if(known_positives.doc_id is null, null, d_query_doc))) as best_score
    from {{ ref('scored_candidates') }}
    left join known_positives using (query_id, doc_id)
    group by query_id
),

judged_positives as (
    select query_id, doc_id
    from {{ ref('judgments') }}
    where grade >= {{ whole_number_var('min_grade', var('min_grade', 1), least=0) }}
)

select
    query_id,
    positive_id,
    doc_id,
    strategy,
    split,
    selected_rank,
    if(best_score > 0, fused_score / best_score, null) as hardness,
    best_score - fused_score as margin,
    fused_score > best_score as is_inverted,
    d_query_positive - d_query_doc as slack_1,
    d_positive_doc - d_query_doc as slack_2,
    agreement / {{ retrievers | length }} as agreement,
    lexical_overlap as lexical_overlap_query,
    {{ jaccard('positive_words.words', 'negative_words.words') | indent }} as lexical_overlap_positive,
    1 - d_positive_doc >= {{ number_var('near_duplicate_cosine', var('near_duplicate_cosine', 0.95), -1, 1) }} as is_near_duplicate,
    known_positives.doc_id is not null as is_label_conflict,
    judged_positives.doc_id is not null as is_judged_positive,
    {%- for retriever in retrievers %}
    rank_{{ retriever }},
    {%- endfor %}
from kept
join {{ ref('scored_candidates') }} using (query_id, positive_id, doc_id)
join best_positive using (query_id)
join document_words as positive_words on positive_words.id = positive_id
join document_words as negative_words on negative_words.id = doc_id
left join known_positives using (query_id, doc_id)
left join judged_positives using (query_id, doc_id)
