{# One row per query and document: the sums that click models share, over `counts` (as clicks_by_position gives them).

   examination: where the probability comes from that somebody looks at a position.
     'certain': 1 everywhere.
     'given': (1 / position) ** click_eta, the curve of Joachims, Swaminathan and Schnabel, "Unbiased Learning-to-Rank
       with Biased Feedback", WSDM 2017.
     'estimated': click_propensities. A position that it does not have (it may be new in the later period) takes the
       next one above, which people look at no less: so its clicks prove rather less. One above all is an error.
   sums: more columns by name, as aggregates; they may use `examination`, and with 'estimated' the other columns of
     click_propensities too. #}
{% macro evidence_sums(counts, examination, sums={}) -%}
{% if examination not in ['certain', 'given', 'estimated'] -%}
    {{ raise_error("click_examination is '" ~ examination ~ "'; it must be 'given' or 'estimated'") }}
{%- endif -%}
select
    query_id,
    doc_id,
    sum(impressions)::bigint as impressions,
    sum(clicks)::bigint as clicks,
    sum(passed_over)::bigint as passed_over,
    {{ exact_sum('impressions * examination') }} as expected_examinations,
    {{ exact_sum('passed_over * examination') }} as examined_not_clicked,
    {%- for name, aggregate in sums.items() %}
    {{ aggregate }} as {{ name }},
    {%- endfor %}
from (
    select
        counts.*,
        {%- if examination == 'certain' %}
        1 as examination,
    from {{ counts }} as counts
        {%- elif examination == 'given' %}
        power(1 / position, {{ number_var('click_eta', var('click_eta', 1.0), 0, 100) }}) as examination,
    from {{ counts }} as counts
        {%- else %}
        click_if_relevant,
        click_if_irrelevant,
        coalesce(examination, error('click_propensities has no position at or above ' || position)) as examination,
    from {{ counts }} as counts
    asof left join {{ ref('click_propensities') }} as propensities using (position)
        {%- endif %}
)
group by query_id, doc_id
{%- endmacro %}
