{# Inverse propensity weighting with clipping: a click at position k counts w(k) = 1 / max(e(k), propensity_clip), e(k)
   from the curve of var click_eta, or from click_propensities when click_examination is 'estimated'. Joachims,
   Swaminathan and Schnabel, "Unbiased Learning-to-Rank with Biased Feedback", WSDM 2017 (4.2: propensity clipping).

   attractiveness = min(1, sum of w(k) over clicks / impressions).
   effective_sample_size = (sum w)^2 / (sum w^2) over clicks (Kish, "Survey Sampling", 1965): few clicks of great weight
   are worth one. lower_bound is Wilson's of the click rate by so many clicks, times the mean w of the clicks (see
   corrected_lower_bound). clipped_share is the share of the impressions with e(k) < propensity_clip; their clicks count too little.
   Without bias and clipping all of it is click_naive. #}
{% macro click_ipw(counts) -%}
{% set clip = number_var('propensity_clip', var('propensity_clip', 0.1), 0, 1) -%}
{% set weight = '(1 / greatest(examination, ' ~ clip ~ '))' -%}
{% set sums = {
    'weighted': exact_sum('clicks * ' ~ weight),
    'squared': exact_sum('clicks * ' ~ weight ~ ' * ' ~ weight),
    'clipped': 'sum(impressions) filter (examination < ' ~ clip ~ ')',
} -%}
{% set sample = 'coalesce(weighted * weighted / nullif(squared, 0), 0)' -%}
{% set estimate = 'least(1, weighted / impressions)' -%}
{% set rate = wilson_lower_bound(sample, '(impressions * ' ~ sample ~ ' / clicks)') -%}
{% set bound = corrected_lower_bound(estimate, 'weighted / clicks * ' ~ rate, sample) -%}
{{ evidence_columns(
    evidence_sums(counts, var('click_examination', 'given'), sums),
    attractiveness=estimate,
    lower_bound='if(clicks = 0, 0, ' ~ bound ~ ')',
    sample=sample,
    clipped='coalesce(clipped, 0) / impressions',
) }}
{%- endmacro %}
