{# Inverse square rank: 1 / rank² by each retriever that returned the document, times the number of those. Mourão,
   Martins and Magalhães, "Inverse square rank fusion for multimodal search", CBMI 2014. #}
{% macro fuse_isr(retriever, fused) -%}
{{ returned_by(fused) }} * coalesce(1 / rank_{{ retriever }}::double ** 2, 0)
{%- endmacro %}
