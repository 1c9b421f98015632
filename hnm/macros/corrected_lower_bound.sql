{# Lower bound of a click rate that was corrected: `corrected` is what the correction makes of Wilson's bound of the rate,
   in which no click counts more than another. Where hardly anybody looks, one click would be corrected to a certainty:
   so the bound is never above the estimate itself, nor above what as many `clicks` in as many looks prove. #}
{% macro corrected_lower_bound(estimate, corrected, clicks) -%}
least(
    {{ estimate }},
    {{ corrected | indent }},
    {{ wilson_lower_bound(clicks, clicks) | indent }}
)
{%- endmacro %}
