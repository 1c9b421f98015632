{# Lower end of the score interval of a proportion of k successes in n trials at z standard deviations (the var
   confidence_z when not given), in [0, 1]; 0 when k or n is 0. Wilson, "Probable Inference, the Law of Succession, and
   Statistical Inference", JASA 22, 1927. #}
{% macro wilson_lower_bound(k, n, z=none) -%}
{% set z = number_var('confidence_z', var('confidence_z', 1.96), 0, 100) if z is none else z -%}
case
    when {{ k }} > 0 and {{ n }} > 0 then greatest(0, (
        {{ k }} / {{ n }} + {{ z }} * {{ z }} / (2 * {{ n }})
        - {{ z }} * sqrt(
            greatest(0, {{ k }} / {{ n }} * (1 - {{ k }} / {{ n }}) / {{ n }}) + {{ z }} * {{ z }} / (4 * {{ n }} * {{ n }})
        )
    ) / (1 + {{ z }} * {{ z }} / {{ n }}))
    else 0
end
{%- endmacro %}
