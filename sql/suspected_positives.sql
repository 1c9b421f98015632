-- One row per query and judged candidate that the judge scores above the given percentile of its scores of positives:
-- perhaps a right answer that nobody labelled. A list to look at and, if you trust it, to feed back as judgments; see
-- docs/false-negatives.md. It does not enter positives by itself: candidates come from them. What has a judgment is not
-- suspected.
{%- set percentile = number_var('relabel_percentile', var('relabel_percentile', none), 0, 100) %}
with scored as (
    select
        query_id,
        doc_id,
        score as judge_score,
        {{ judge_percentile(percentile) | indent(8) }} as threshold,
    from {{ ref('judge_scores') }}
    semi join (from {{ ref('judged_pairs') }} where not is_positive) using (query_id, doc_id)
    anti join {{ ref('judgments') }} using (query_id, doc_id)
)

select
    query_id,
    doc_id,
    1 as grade,
    judge_score,
    threshold,
    split,
from scored
join {{ ref('queries') }} as queries using (query_id)
where judge_score > threshold
