{# Negatives of the quasi-triangular region (TriSampler, arXiv 2402.11855). With s the cosine of the vectors of query q,
   positive p and candidate d:
   - the angles of p and of d to the query differ by at most 60 degrees: |acos s(q, p) - acos s(q, d)| <= 60;
   - candidates are drawn from the top in proportion to exp(-(s(q, d) - s(q, p)) ** 2 / 4), and the negatives from those
     in proportion to ReLU(s(p, d) - s(q, d)): only what is closer to the positive than to the query.
   Here both draws are one, in proportion to the product: what the two come to as the first grows large. #}
{% macro rule_trisampler(strategy) -%}
{% set degrees, seed = strategy.degrees | default(60), strategy.seed | default(0) -%}
{% set angle = 'degrees(abs(acos(greatest(-1, 1 - d_query_positive)) - acos(greatest(-1, 1 - d_query_doc))))' -%}
{{ check_number(strategy, 'degrees', degrees, 0, 180) }}
{{- check_whole_number(strategy, 'seed', seed, 0) }}
{{- outcome(
    strategy,
    considers='agreement > 0',
    measures={'angle': angle, 'excess': 'nullif(greatest(d_query_doc - d_positive_doc, 0), 0)'},
    reasons={
        'outside_angle': 'angle > ' ~ degrees,
        'not_closer_to_positive_than_to_query': 'excess is null',
    },
    order=drawn(seed, 'ln(excess) - power(d_query_doc - d_query_positive, 2) / 4'),
    settings=['degrees', 'seed'],
) }}
{%- endmacro %}
