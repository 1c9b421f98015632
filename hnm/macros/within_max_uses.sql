{# A cap on hubs: of `considered`, a relation with the column `failed`, a document passes in at most `max_uses` pairs of
   query and positive: those in which it comes first by `order`; equal places are drawn.

   It looks across queries, so a stage that uses it is built in full each time. #}
{% macro within_max_uses(strategy, considered, order) -%}
{{ config(incremental=none) -}}
select * replace (if(failed is null and use_of_document > {{ strategy.max_uses }}, 'beyond_max_uses', failed) as failed)
from (
    select
        *,
        row_number() over (
            partition by doc_id, failed is null order by place_in_pair, {{ drawn(0) }}, query_id, positive_id
        ) as use_of_document,
    from (
        select
            *,
            row_number() over (
                partition by query_id, positive_id, failed is null order by {{ order }}, doc_id
            ) as place_in_pair,
        from (
            {{ considered | indent(12) }}
        )
    )
)
{%- endmacro %}
