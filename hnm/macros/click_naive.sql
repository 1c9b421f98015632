{# Click-through rate: every impression was looked at, so attractiveness = clicks / impressions, and lower_bound is
   Wilson's bound of it. The baseline: a document that was shown far down is taken for a bad one. #}
{% macro click_naive(counts) -%}
{{ evidence_columns(
    evidence_sums(counts, 'certain'),
    attractiveness='clicks / impressions',
    lower_bound=wilson_lower_bound('clicks', 'impressions'),
) }}
{%- endmacro %}
