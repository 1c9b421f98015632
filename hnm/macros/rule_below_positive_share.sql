{# Positive-aware mining by percentage (NV-Retriever, arXiv 2407.15831, TopK-PercPos): candidates whose score reaches
   `share` of the positive's are likely unlabelled positives. Of the others, the highest scores come first.
   The share is taken of the score's size, so that the limit lies below a negative score too. #}
{% macro rule_below_positive_share(strategy) -%}
{% set share = strategy.share | default(0.95) -%}
{% if not share is number or share is boolean or not 0 < share <= 1 -%}
    {{ raise_error("strategy '" ~ strategy.name ~ "': share is " ~ share ~ "; it must lie above 0 and be at most 1") }}
{%- endif -%}
{{ outcome(
    strategy,
    considers='agreement > 0',
    reasons={
        'above_share_of_positive':
            'fused_score > (1 - d_query_positive) - ' ~ (1 - share) | round(6) ~ ' * abs(1 - d_query_positive)',
    },
    order='d_query_doc',
    settings=['share'],
) }}
{%- endmacro %}
