-- One row per strategy: how good its negatives are, all queries together. Measures: see negative_measures, of which
-- these are means over negatives; diversity is a mean over queries.
-- coverage: share of the queries that have a negative. pair_coverage: the same for pairs of query and positive.
-- yield: negatives per pair. hardness_p*, margin_p*, slack_1_p*, slack_2_p*: quantiles over negatives. A positive that
-- scores near 0 makes its negatives' hardness huge, and with it the mean; the median, hardness_p50, is not moved by it.
-- hubness: how often one document serves as a negative; its maximum, and its Gini coefficient over the documents that
-- serve at all.
-- label_conflicts must be 0. judged_positive_rate: share of the negatives that a judgment calls answers.
with totals as (
    select
        strategy,
        count(*) as queries,
        sum(pairs)::bigint as pairs,
        sum(negatives)::bigint as negatives,
        count(*) filter (negatives > 0) / count(*) as coverage,
        sum(pairs_with_negatives) / sum(pairs) as pair_coverage,
        sum(negatives) / sum(pairs) as yield,
        {{ exact_avg('diversity') }} as diversity,
    from {{ ref('negative_quality_by_query') }}
    group by strategy
),

means as (
    select
        strategy,
        {{ mean_measures() | indent(8) }}
        {%- for measure in ['hardness', 'margin', 'slack_1', 'slack_2'] %}
        {%- for percent in ['05', '25', '50', '75', '95'] %}
        quantile_cont({{ measure }}, 0.{{ percent }}) as {{ measure }}_p{{ percent }},
        {%- endfor %}
        {%- endfor %}
    from {{ ref('negative_measures') }}
    group by strategy
),

occurrences as (
    select
        strategy,
        doc_id,
        count(*) as times,
        row_number() over (partition by strategy order by times, doc_id) as place,
    from {{ ref('negative_measures') }}
    group by strategy, doc_id
),

hubness as (
    select strategy, max(times) as hubness_max, {{ gini('times', 'place') }} as hubness_gini
    from occurrences
    group by strategy
)

select
    strategy,
    queries,
    pairs,
    negatives,
    coverage,
    pair_coverage,
    yield,
    means.* exclude (strategy, label_conflicts, judged_positive_rate),
    diversity,
    hubness_max,
    hubness_gini,
    coalesce(label_conflicts, 0) as label_conflicts,
    judged_positive_rate,
from totals
left join means using (strategy)
left join hubness using (strategy)
