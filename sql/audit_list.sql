-- One row per query and document that some strategy keeps as a negative and that looks most like a right answer, for a
-- person to judge: the audit_size most suspicious ones, place 1 first. First come those that the judge scores above the
-- judge_percentile of its scores of positives, then those that it was not asked about (all, without a judge), by how
-- far they score above the query's best positive that they are a negative for. What has a judgment is not asked again.
-- `verdict` is empty, for the person to fill in: relevant or not_relevant; see docs/false-negatives.md.
{%- set size, judged = whole_number_var('audit_size', var('audit_size', none)), judge_kind() != 'none' %}
{%- set percentile = number_var('judge_percentile', var('judge_percentile', 25), 0, 100) %}
with kept as (
    select
        query_id,
        doc_id,
        string_agg(distinct strategy, ', ' order by strategy) as strategies,
        first(positive_id order by d_query_positive, positive_id) as positive_id,
        any_value(fused_score) as fused_score,
        (1 - min(d_query_positive))::float as positive_score,
    from {{ ref('negatives') }}
    anti join {{ ref('judgments') }} using (query_id, doc_id)
    where exclusion_reason is null
    group by query_id, doc_id
),

judged as (
    {%- if judged %}
    select
        kept.*,
        score as judge_score,
        {{ judge_percentile(percentile) | indent(8) }} as judge_threshold,
    from kept
    left join {{ ref('judge_scores') }} as judge_scores using (query_id, doc_id)
    {%- else %}
    select *, null::float as judge_score, null::double as judge_threshold
    from kept
    {%- endif %}
),

suspicious as (
    select
        *,
        coalesce(judge_score > judge_threshold, false) as is_judged_like_positive,
        row_number() over (
            order by
                is_judged_like_positive desc,
                judge_score is null desc,
                judge_score desc,
                fused_score - positive_score desc,
                query_id,
                doc_id
        ) as place,
    from judged
    qualify place <= {{ size }}
)

select
    place,
    query_id,
    doc_id,
    '' as verdict,
    case
        when is_judged_like_positive then 'judged_like_positive'
        when fused_score > positive_score then 'scores_above_positive'
        else 'nearest_to_positive'
    end as reason,
    questions.text as query,
    documents.text as document,
    positives.text as positive,
    positive_id,
    strategies,
    fused_score,
    positive_score,
    judge_score,
    judge_threshold,
from suspicious
join {{ ref('texts') }} as questions on questions.kind = 'query' and questions.id = query_id
join {{ ref('texts') }} as documents on documents.kind = 'document' and documents.id = doc_id
join {{ ref('texts') }} as positives on positives.kind = 'document' and positives.id = positive_id
order by place
