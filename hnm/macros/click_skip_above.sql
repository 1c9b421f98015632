{# Skip-above preferences: who clicked a document and passed over another above it preferred the first. Joachims,
   "Optimizing Search Engines using Clickthrough Data", KDD 2002.

   attractiveness = impressions in which the document was preferred to another / those in which it was preferred or
   passed over, and lower_bound is Wilson's bound of it. Each impression counts once, however many documents it was
   compared with, because those comparisons are not independent. A document that is always at the top is never preferred
   to anything: this model says nothing good of it. #}
{% macro click_skip_above(counts) -%}
{{ evidence_columns(
    evidence_sums(counts, 'certain', {'looks': 'sum(reached)::bigint', 'won': 'sum(preferred)::bigint'}),
    attractiveness='coalesce(won / nullif(won + passed_over, 0), 0)',
    lower_bound=wilson_lower_bound('won', '(won + passed_over)'),
    examinations='looks',
    sample='won',
) }}
{%- endmacro %}
