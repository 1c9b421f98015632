{# Whether candidates that almost are a positive are told apart: `yes`, or nothing. #}
{% macro knows_near_duplicates() -%}
{{ 'yes' if var('max_cosine_to_positive', none) is not none or var('max_jaccard_to_positive', none) is not none }}
{%- endmacro %}

{# Condition of `scored_candidates`: a candidate lies beyond a limit to a positive. Of words it is the Jaccard index
   itself: MinHash would only estimate it, and candidates are few enough to compute it. #}
{% macro near_positive(words, positive_words, distance) -%}
{% set cosine, overlap = var('max_cosine_to_positive', none), var('max_jaccard_to_positive', none) -%}
{% for limit in [cosine, overlap] if limit is not none and (limit is not number or limit is boolean or not 0 <= limit <= 1) -%}
    {{ raise_error("max_cosine_to_positive or max_jaccard_to_positive is " ~ limit ~ "; it must lie between 0 and 1") }}
{%- endfor -%}
{% set limits = [] -%}
{% if cosine is not none and limits.append(distance ~ ' < ' ~ (1 - cosine)) %}{% endif -%}
{% if overlap is not none and limits.append(jaccard(positive_words, words) ~ ' > ' ~ overlap) %}{% endif -%}
({{ limits | join(' or ') }})
{%- endmacro %}

{# Condition: the candidate is, or is taken for, a right answer, which no strategy may keep. #}
{% macro is_right_answer() -%}
(is_known_positive or is_positive_copy{{ ' or is_near_positive' if knows_near_duplicates() }})
{%- endmacro %}
