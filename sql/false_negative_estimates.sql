-- One row per strategy and estimate of how many of its negatives are right answers. negatives: those kept; examined:
-- those of them that the estimate can speak of; rate: false_negatives / examined, null when there is nothing to examine;
-- rate_low, rate_high: its Wilson interval at 95 %, as if negatives were independent (one document in many pairs is not).
--
-- judge: of the negatives that the judge was asked about, those that it scores above `threshold`, the judge_percentile
-- of its scores of positives. hidden: of all negatives, those that are known positives which the var hide_positives
-- kept from the mining; a lower bound, since right answers that nobody knows are not counted.
{%- set judged, hidden = judge_kind() != 'none', var('hide_positives', 0) != 0 %}
{%- set percentile = number_var('judge_percentile', var('judge_percentile', 25), 0, 100) %}
{%- if not judged and not hidden %}
{{ raise_error("there is nothing to estimate from; set the var judge or hide_positives") }}
{%- endif %}
with kept as (
    select query_id, doc_id, strategy
    from {{ ref('negatives') }}
    where exclusion_reason is null
),

strategies as (
    select unnest({{ var('strategies') | map(attribute='name') | list }}) as strategy
),

counted as (
    {%- if judged %}
    select
        strategy,
        'judge' as estimate,
        count(kept.doc_id) as negatives,
        count(score) as examined,
        count(*) filter (score > threshold) as false_negatives,
        any_value(threshold) as threshold,
        false as is_lower_bound,
    from strategies
    cross join (
        select {{ judge_percentile(percentile) | indent(8) }} as threshold
    )
    left join kept using (strategy)
    left join {{ ref('judge_scores') }} as judge_scores using (query_id, doc_id)
    group by strategy
    {%- endif %}
    {%- if judged and hidden %}
    union all
    {%- endif %}
    {%- if hidden %}
    select
        strategy,
        'hidden' as estimate,
        count(kept.doc_id) as negatives,
        count(kept.doc_id) as examined,
        count(hidden_positives.doc_id) as false_negatives,
        null::double as threshold,
        true as is_lower_bound,
    from strategies
    left join kept using (strategy)
    left join {{ ref('hidden_positives') }} as hidden_positives using (query_id, doc_id)
    group by strategy
    {%- endif %}
)

select
    strategy,
    estimate,
    negatives,
    examined,
    false_negatives,
    false_negatives / nullif(examined, 0) as rate,
    if(examined > 0, {{ wilson_lower_bound('false_negatives', 'examined', 1.96) | indent(4) }}, null) as rate_low,
    if(
        examined > 0,
        1 - {{ wilson_lower_bound('(examined - false_negatives)', 'examined', 1.96) | indent(8) }},
        null
    ) as rate_high,
    threshold,
    is_lower_bound,
from counted
