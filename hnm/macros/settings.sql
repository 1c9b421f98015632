{# What the settings of strategies have in common: each macro refuses a value that cannot be meant. #}

{# `least` <= value <= `most`; nan and the truth values are no numbers. #}
{% macro check_number(strategy, setting, value, least, most) -%}
{% set checked = number_var("strategy '" ~ strategy.name ~ "': " ~ setting, value, least, most) -%}
{%- endmacro %}

{% macro check_whole_number(strategy, setting, value, least) -%}
{% set checked = whole_number_var("strategy '" ~ strategy.name ~ "': " ~ setting, value, least) -%}
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
