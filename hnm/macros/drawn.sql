{# An order that is a random draw without replacement: of the candidates of a pair, the smallest come first.

   Each is drawn with a probability in proportion to exp(`log_weight`): the Gumbel-top-k trick (Kool et al., arXiv
   1903.06059), which is the sampling of Efraimidis and Spirakis (Information Processing Letters 97, 2006) by logarithms.
   Its random numbers are hashes of the three ids and the seed, so that a pair's sample depends on no other pair, and on
   no order of rows. A null log weight (of probability zero) comes last. #}
{% macro drawn(seed, log_weight=none) -%}
{% set fraction = hash_fraction("query_id || ' ' || positive_id || ' ' || doc_id", seed) -%}
{% if log_weight is none -%}
{{ fraction }}
{%- else -%}
ln(-ln({{ fraction }} + power(2.0, -53))) - ({{ log_weight }})
{%- endif -%}
{%- endmacro %}
