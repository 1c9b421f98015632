{# 'true' when the click model reads the stage click_propensities: it, and the stage that it learns from, exist then. #}
{% macro needs_click_propensities() -%}
{{ (
    var('positives_from') == 'clicks'
    and (
        var('click_model', 'position_bias_corrected') in ['pbm_em', 'trust_bias']
        or var('click_examination', 'given') == 'estimated'
    )
) | lower }}
{%- endmacro %}
