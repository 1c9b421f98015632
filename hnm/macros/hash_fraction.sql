{# A number in [0, 1) that depends on a column and a seed alone: for splits and samples that stay the same wherever
   they are made. From the first 52 bits of MD5, because DuckDB's hash() may change between versions. #}
{% macro hash_fraction(column, seed) -%}
('0x' || left(md5('{{ seed }}:' || {{ column }}), 13))::bigint::double / 4503599627370496
{%- endmacro %}
