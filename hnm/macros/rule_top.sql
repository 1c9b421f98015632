{# The highest of one score, unfiltered: `by` is fused_score, rrf or score_<retriever>. #}
{% macro rule_top(strategy) -%}
{% set known = ['fused_score', 'rrf'] -%}
{% for retriever in var('retrievers') if known.append('score_' ~ retriever) %}{% endfor -%}
{% set by = strategy.by | default('fused_score') -%}
{% if by not in known -%}
    {{ raise_error("strategy '" ~ strategy.name ~ "': by is '" ~ by ~ "'; it must be one of " ~ known | join(', ')) }}
{%- endif -%}
{{ outcome(
    strategy,
    considers='agreement > 0 and ' ~ by ~ ' is not null',
    reasons={},
    order=by ~ ' desc',
    settings=['by'],
) }}
{%- endmacro %}
