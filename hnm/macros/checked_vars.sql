{# `value`, which errors call `name` (a var, or a setting of one): a whole number from `least`; an `optional` one may be
   null instead. #}
{% macro whole_number_var(name, value, least=1, optional=false) -%}
{% if not (optional and value is none) and (not value is integer or value is boolean or value < least) -%}
    {{ raise_error(name ~ " is " ~ value ~ "; it must be a whole number from " ~ least ~ (', or null' if optional else '')) }}
{%- endif -%}
{{ value }}
{%- endmacro %}

{# `value`, which errors call `name`: a number between `least` and `most`. #}
{% macro number_var(name, value, least, most) -%}
{% if not value is number or value is boolean or not least <= value <= most -%}
    {{ raise_error(name ~ " is " ~ value ~ "; it must lie between " ~ least ~ " and " ~ most) }}
{%- endif -%}
{{ value }}
{%- endmacro %}

{# Refuses a var that is no list of names. #}
{% macro check_names_var(name, value) -%}
{% if value is string or value is mapping or value is not sequence or value | reject('string') | list -%}
    {{ raise_error(name ~ " is " ~ value ~ "; it must be a list of names, in brackets") }}
{%- endif -%}
{%- endmacro %}
