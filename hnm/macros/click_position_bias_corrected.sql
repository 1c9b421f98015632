{# Clicks per examination, where a document at position k is looked at with probability e(k): the curve of var click_eta,
   or click_propensities when click_examination is 'estimated'. Joachims, Swaminathan and Schnabel, "Unbiased
   Learning-to-Rank with Biased Feedback", WSDM 2017.

   attractiveness = clicks / max(sum of e(k) over impressions, clicks): a click proves an examination, so there are
   never fewer examinations than clicks (this clips the inverse propensities). lower_bound is Wilson's bound of that
   proportion: few examinations prove little. #}
{% macro click_position_bias_corrected(counts) -%}
{% set examinations = 'greatest(expected_examinations, clicks)::double' -%}
{{ evidence_columns(
    evidence_sums(counts, var('click_examination', 'given')),
    attractiveness='if(clicks = 0, 0, clicks / ' ~ examinations ~ ')',
    lower_bound=wilson_lower_bound('clicks', examinations),
) }}
{%- endmacro %}
