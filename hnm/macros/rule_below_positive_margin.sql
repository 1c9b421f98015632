{# Positive-aware mining by margin (NV-Retriever, arXiv 2407.15831, TopK-MarginPos): candidates whose score is not at
   least `margin` below the positive's are likely unlabelled positives. Of the others, the highest scores come first. #}
{% macro rule_below_positive_margin(strategy) -%}
{% set margin = strategy.margin | default(0.05) -%}
{{ check_number(strategy, 'margin', margin, 0, 2) }}
{{- outcome(
    strategy,
    considers='agreement > 0',
    reasons={'within_margin_of_positive': 'd_query_doc < d_query_positive + ' ~ margin},
    order='d_query_doc',
    settings=['margin'],
) }}
{%- endmacro %}
