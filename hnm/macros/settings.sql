{# What the settings of strategies have in common: each macro refuses a value that cannot be meant. #}

{# `least` <= value <= `most`; nan and the truth values are no numbers. #}
{% macro check_number(strategy, setting, value, least, most) -%}
{% if not value is number or value is boolean or not least <= value <= most -%}
    {{ raise_error("strategy '" ~ strategy.name ~ "': " ~ setting ~ " is " ~ value ~ "; it must lie between " ~ least
        ~ " and " ~ most) }}
{%- endif -%}
{%- endmacro %}

{% macro check_whole_number(strategy, setting, value, least) -%}
{% if not value is integer or value is boolean or value < least -%}
    {{ raise_error("strategy '" ~ strategy.name ~ "': " ~ setting ~ " is " ~ value ~ "; it must be a whole number from "
        ~ least) }}
{%- endif -%}
{%- endmacro %}

{# `by` is a column of scores: fused_score, rrf, score_<retriever> or fused_<fusion>. #}
{% macro check_score(strategy, by) -%}
{% set known = ['fused_score', 'rrf'] -%}
{% for retriever in var('retrievers') if known.append('score_' ~ retriever) %}{% endfor -%}
{% for fusion in var('fusions', []) if known.append('fused_' ~ fusion.name) %}{% endfor -%}
{% if by not in known -%}
    {{ raise_error("strategy '" ~ strategy.name ~ "': by is '" ~ by ~ "'; it must be one of " ~ known | join(', ')
        ~ (": '" ~ by[6:] ~ "' is not in the var `retrievers`" if by is string and by.startswith('score_') else '')) }}
{%- endif -%}
{%- endmacro %}

{# A window of ranks: the first `skipped` are left out, and enough remain up to `last`. #}
{% macro check_window(strategy, skipped, last) -%}
{{ check_whole_number(strategy, 'from', skipped, 0) }}
{{- check_whole_number(strategy, 'to', last, 1) }}
{%- if last - skipped < strategy.per_positive | default(1) -%}
    {{ raise_error("strategy '" ~ strategy.name ~ "': the ranks after " ~ skipped ~ " up to " ~ last
        ~ " are fewer than per_positive " ~ strategy.per_positive | default(1)) }}
{%- endif -%}
{%- endmacro %}
