{# Standard deviations above the mean of the query's scores by the retriever (the deviation of all of them, not of a
   sample). What it did not return counts as its lowest score; a list whose scores are all equal adds nothing.
   Montague and Aslam, "Relevance Score Normalization for Metasearch", CIKM 2001 (zero mean, unit variance).

   Computed from the scaled scores, which gives the same and loses no digits. Sums of decimals do not depend on the
   order of the rows. #}
{% macro fuse_z_score(retriever, fused) -%}
{% set scaled = 'scaled_' ~ retriever -%}
{% set count = 'count(' ~ scaled ~ ') over (partition by query_id)' -%}
{% set mean = 'sum(' ~ scaled ~ '::decimal(38, 12)) over (partition by query_id)::double / ' ~ count -%}
{% set squares = 'sum((' ~ scaled ~ ' ** 2)::decimal(38, 12)) over (partition by query_id)::double / ' ~ count -%}
{% set range = 'max(' ~ scaled ~ ') over (partition by query_id) - min(' ~ scaled ~ ') over (partition by query_id)' -%}
if({{ range }} > 0, (coalesce({{ scaled }}, 0) - {{ mean }}) / sqrt({{ squares }} - ({{ mean }}) ** 2), 0)
{%- endmacro %}
