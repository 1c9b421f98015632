{# Position-based model by expectation-maximization: P(click) = e(k) * a, with e(k) estimated from the log itself, in
   the stage click_propensities. Chuklin, Markov and de Rijke, "Click Models for Web Search" (2015), 3.2 and 4.2.

   attractiveness is the a that maximizes the likelihood of the pair's clicks, with prior_clicks clicks and prior_skips
   skips added (a Beta prior). An EM step takes a to
     (prior_clicks + clicks + sum of unclicked * a * (1 - e) / (1 - e * a)) / (prior_clicks + prior_skips + impressions)
   and it moves towards the maximum from either side, because the likelihood is concave in a. So the point where it
   moves no more is found by halving the interval [0, 1] 40 times.
   lower_bound is Wilson's bound of the click rate, as clicks per examination: impressions / sum of e(k) times it (see
   corrected_lower_bound). #}
{% macro click_pbm_em(counts) -%}
{% set clicks, skips = var('prior_clicks', 0.2), var('prior_skips', 0.8) -%}
{% set step -%}
({{ clicks }} + clicks + list_sum(list_transform(
    places, lambda place: place.unclicked * a * (1 - place.e) / greatest(1 - place.e * a, 1e-12)
))) / ({{ clicks }} + {{ skips }} + impressions)
{%- endset -%}
{% set halves = 'list_transform(range(2, 42), lambda i: power(0.5, i))' -%}
{% set rate = 'impressions / expected_examinations * ' ~ wilson_lower_bound('clicks', 'impressions') -%}
{% set rows -%}
select
    *,
    list_reduce({{ halves }}, lambda a, half: if({{ step | indent }} > a, a + half, a - half), 0.5::double) as most_likely,
from ({{ evidence_sums(counts, 'estimated', {
    'places': 'list({e: examination, unclicked: impressions - clicks} order by position)',
}) | indent }})
{%- endset -%}
{{ evidence_columns(rows, 'most_likely', corrected_lower_bound('most_likely', rate, 'clicks')) }}
{%- endmacro %}
