{# Lower end of the score interval of a proportion of k successes in n trials at z standard deviations, in [0, 1]; 0
   when n is 0. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22, 1927. #}
{% macro wilson_lower_bound(k, n, z) -%}
case
    when {{ n }} > 0 then greatest(0, (
        {{ k }} / {{ n }} + {{ z }} * {{ z }} / (2 * {{ n }})
        - {{ z }} * sqrt(
            greatest(0, {{ k }} / {{ n }} * (1 - {{ k }} / {{ n }}) / {{ n }}) + {{ z }} * {{ z }} / (4 * {{ n }} * {{ n }})
        )
    ) / (1 + {{ z }} * {{ z }} / {{ n }}))
    else 0
end
{%- endmacro %}
