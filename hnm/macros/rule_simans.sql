{# Ambiguous negatives (SimANS, arXiv 2210.11773): drawn with a probability in proportion to
   exp(-a * (s(q, d) - s(q, p) - b) ** 2), so that those are likeliest that score about as the positive p does, or b
   above it. The draw is without replacement. The paper's a lies around 1, for inner products; the cosines here differ
   by tenths, and a = 50 is a bell with a standard deviation of 0.1. #}
{% macro rule_simans(strategy) -%}
{% set a, b, seed = strategy.a | default(50), strategy.b | default(0), strategy.seed | default(0) -%}
{{ check_number(strategy, 'a', a, 0, 1e6) }}
{{- check_number(strategy, 'b', b, -2, 2) }}
{{- check_whole_number(strategy, 'seed', seed, 0) }}
{{- outcome(
    strategy,
    considers='agreement > 0',
    reasons={},
    order=drawn(seed, '-' ~ a ~ ' * power(d_query_positive - d_query_doc - (' ~ b ~ '), 2)'),
    settings=['a', 'b', 'seed'],
) }}
{%- endmacro %}
