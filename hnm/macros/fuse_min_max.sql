{# Scores between the query's lowest (0) and highest (1) by the retriever; 0 for what it did not return. Their sum is
   CombSUM: Fox and Shaw, "Combination of Multiple Searches", TREC-2, 1994; so normalized in Lee, "Analyses of Multiple
   Evidence Combination", SIGIR 1997. #}
{% macro fuse_min_max(retriever, fused) -%}
coalesce(scaled_{{ retriever }}, 0)
{%- endmacro %}
