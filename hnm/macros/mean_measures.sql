{# The means of negative_measures that negative_quality and negative_quality_by_query share: an aggregate over its
   rows. #}
{% macro mean_measures() -%}
{{ exact_avg('hardness') }} as hardness,
{{ exact_avg('margin') }} as margin,
{{ exact_avg('is_inverted::integer') }} as inversion_rate,
{{ exact_avg('slack_1') }} as slack_1,
{{ exact_avg('slack_2') }} as slack_2,
{{ exact_avg('agreement') }} as agreement,
{{ exact_avg('lexical_overlap_query') }} as lexical_overlap_query,
{{ exact_avg('lexical_overlap_positive') }} as lexical_overlap_positive,
{{ exact_avg('is_near_duplicate::integer') }} as near_duplicate_rate,
count(*) filter (is_label_conflict) as label_conflicts,
{{ exact_avg('is_judged_positive::integer') }} as judged_positive_rate,
{%- endmacro %}
