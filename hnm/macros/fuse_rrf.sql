{# Reciprocal rank fusion with weights: 1 / (k + rank), k being the var rrf_k. Cormack, Clarke and Büttcher, SIGIR 2009;
   see reciprocal_rank_fusion. #}
{% macro fuse_rrf(retriever, fused) -%}
{{ reciprocal_rank_fusion([retriever], rrf_k()) }}
{%- endmacro %}
