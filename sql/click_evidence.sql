-- One row per query and document that was shown for it: what the click log says of the pair.
--
-- Position bias: a document at position k is looked at with probability (1 / k) ** click_eta, the curve of Joachims,
-- Swaminathan and Schnabel, "Unbiased Learning-to-Rank with Biased Feedback", WSDM 2017. The expected examinations of a
-- pair are the sum of those probabilities over its impressions, and its attractiveness is clicks per examination. A
-- click proves an examination, so there are never fewer examinations than clicks (this clips the inverse propensities).
-- lower_bound is Wilson's bound of the attractiveness: few examinations prove little.
{%- set z = var('confidence_z', 1.96) %}
with shown_at_position as (
    select
        query_id,
        doc_id,
        count(*) * power(1 / position, {{ var('click_eta', 1.0) }}) as expected_examinations,
    from {{ ref('impressions') }}
    group by query_id, doc_id, position
),

examined as (
    select query_id, doc_id, {{ exact_sum('expected_examinations') }} as expected_examinations
    from shown_at_position
    group by query_id, doc_id
),

counted as (
    select
        query_id,
        doc_id,
        count(*) as impressions,
        count(*) filter (clicked) as clicks,
        count(distinct session_id) as distinct_sessions,
        count(distinct session_id) filter (clicked) as clicked_sessions,
        {{ exact_avg('position') }} as mean_position,
        {{ exact_avg('dwell_seconds', filter='clicked') }} as mean_dwell_seconds,
    from {{ ref('impressions') }}
    group by query_id, doc_id
),

trials as (
    select *, greatest(expected_examinations, clicks)::double as examinations
    from counted
    join examined using (query_id, doc_id)
)

select
    query_id,
    doc_id,
    impressions,
    clicks,
    distinct_sessions,
    clicked_sessions,
    mean_position,
    mean_dwell_seconds,
    expected_examinations,
    clicks / impressions as ctr,
    clicks / examinations as attractiveness,
    {{ wilson_lower_bound('clicks', 'examinations', z) | indent }} as lower_bound,
from trials
