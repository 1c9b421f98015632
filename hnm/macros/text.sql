{# Text without white space at its ends; null becomes the empty text. #}
{% macro trimmed(column) -%}
coalesce(trim({{ column }}, e' \t\r\n'), '')
{%- endmacro %}

{# The same for texts that differ in case, in Unicode composition and in white space only. #}
{% macro normalized(column) -%}
lower(nfc_normalize(trim(regexp_replace({{ column }}, '\s+', ' ', 'g'))))
{%- endmacro %}

{# The distinct words of a text in lower case: runs of letters and digits of any script. #}
{% macro words(column) -%}
list_distinct(regexp_extract_all(lower({{ column }}), '[\p{L}\p{N}]+'))
{%- endmacro %}

{# The same as numbers, where words are only compared: lists of texts take three times as long to join. #}
{% macro word_hashes(column) -%}
list_transform({{ words(column) }}, lambda word: hash(word))
{%- endmacro %}

{# How many elements two lists of distinct elements share. Give the shorter list first. #}
{% macro shared(short, long) -%}
len(list_filter({{ short }}, lambda element: list_contains({{ long }}, element)))
{%- endmacro %}

{# Jaccard index of two lists of distinct elements, in [0, 1]; 0 when both are empty. Give the shorter list first. #}
{% macro jaccard(short, long) -%}
coalesce(
    {{ shared(short, long) }}
    / nullif(len({{ short }}) + len({{ long }}) - {{ shared(short, long) }}, 0),
    0
)
{%- endmacro %}

{# The same for texts that ask the same: that differ in case, Unicode composition, punctuation and white space only. A
   text of nothing but punctuation keeps it. #}
{% macro same_text(column) -%}
coalesce(
    nullif(trim(regexp_replace(lower(nfc_normalize({{ column }})), '[^\p{L}\p{M}\p{N}]+', ' ', 'g')), ''),
    {{ normalized(column) }}
)
{%- endmacro %}
