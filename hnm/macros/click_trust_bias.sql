{# Affine correction for trust: people click what stands high, relevant or not. At position k a relevant document is
   clicked with probability p(k), another with q(k), both estimated in the stage click_propensities. Agarwal, Wang, Li,
   Bendersky and Najork, "Addressing Trust Bias for Unbiased Learning-to-Rank", WWW 2019, for the model; Vardasbi,
   Oosterhuis and de Rijke, "When Inverse Propensity Scoring does not Work", CIKM 2020, for the correction: the click c
   of an impression becomes (c - q(k)) / (p(k) - q(k)), whose mean is the relevance.

   attractiveness is the mean of that over the pair's impressions, weighted by p(k) - q(k), so that places at which a
   click says little say little: (clicks - sum of q) / (sum of p - q), cut to [0, 1]. lower_bound is Wilson's bound of
   the click rate, corrected in the same way (see corrected_lower_bound). #}
{% macro click_trust_bias(counts) -%}
{% set sums = {
    'expected_by_trust': exact_sum('impressions * click_if_irrelevant'),
    'slope': exact_sum('impressions * (click_if_relevant - click_if_irrelevant)'),
} -%}
{% set estimate = 'greatest(0, least(1, (clicks - expected_by_trust) / slope))' -%}
{% set corrected = '(impressions * ' ~ wilson_lower_bound('clicks', 'impressions') ~ ' - expected_by_trust) / slope' -%}
{% set bound = corrected_lower_bound(estimate, 'greatest(0, ' ~ corrected ~ ')', 'clicks') -%}
{{ evidence_columns(
    evidence_sums(counts, 'estimated', sums),
    attractiveness='if(slope > 0, ' ~ estimate ~ ', 0)',
    lower_bound='if(slope > 0, ' ~ bound ~ ', 0)',
) }}
{%- endmacro %}
