{# Points by rank: of n documents that the fused retrievers returned for the query, the first gets n, the next n - 1, and
   so on; those that the retriever did not return share what is left evenly. Aslam and Montague, "Models for
   Metasearch", SIGIR 2001 (Borda-fuse, weighted Borda-fuse). #}
{% macro fuse_borda(retriever, fused) -%}
{% set pool = 'count(*) filter (' ~ returned_by(fused) ~ ' > 0) over (partition by query_id)' -%}
{% set listed = 'count(rank_' ~ retriever ~ ') over (partition by query_id)' -%}
coalesce({{ pool }} - rank_{{ retriever }} + 1, ({{ pool }} - {{ listed }} + 1) / 2)
{%- endmacro %}
