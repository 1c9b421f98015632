{# Whether the clicks from clicks_before on judge while those before it train, in the stage later_click_evidence: `yes`,
   or nothing. #}
{% macro judged_by_later_clicks() -%}
{{ 'yes' if var('positives_from') == 'clicks' and var('judgments_from', 'source') == 'clicks'
    and var('clicks_before', none) is not none }}
{%- endmacro %}
