{# Sum of 1 / (k + rank) over the columns rank_<retriever>; a null rank adds nothing. Cormack, Clarke and Büttcher,
   "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods", SIGIR 2009 (k = 60). #}
{% macro reciprocal_rank_fusion(retrievers, k) -%}
{% for retriever in retrievers %}coalesce(1 / ({{ k }} + rank_{{ retriever }}), 0){{ ' + ' if not loop.last }}{% endfor %}
{%- endmacro %}

{# The var rrf_k: not below 0, so that no rank counts for infinitely much. #}
{% macro rrf_k() -%}
{{ number_var('rrf_k', var('rrf_k', 60), 0, 1000000) }}
{%- endmacro %}
