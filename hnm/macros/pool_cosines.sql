{# Common table expressions for rules that compare candidates with each other: of each pair of query and positive the
   `size` candidates with the highest score, right answers aside.

   pool(query_id, positive_id, doc_id, fused_score, place), place from 1; and pairs(query_id, positive_id, scores,
   cosines, places): the scores by place, and the matrix of the cosines of the ensemble's vectors. #}
{% macro pool_cosines(size) -%}
pool as (
    select query_id, positive_id, doc_id, fused_score, {{ ranked('fused_score') | indent(8) }} as place
    from candidates
    where agreement > 0 and not {{ is_right_answer() }}
    qualify place <= {{ size }}
),

located as (
    select pool.*, vector::float[] as vector
    from pool
    join {{ ref('ensemble') }} as ensemble on kind = 'document' and id = doc_id
),

cosines as (
    select
        query_id,
        positive_id,
        one.place,
        any_value(one.fused_score) as score,
        list(1 - {{ cosine_distance('one.vector', 'other.vector') }} order by other.place) as to_others,
    from located as one
    join located as other using (query_id, positive_id)
    group by query_id, positive_id, one.place
),

pairs as (
    select
        query_id,
        positive_id,
        list(score order by place) as scores,
        list(to_others order by place) as cosines,
        range(1, count(*) + 1) as places,
    from cosines
    group by query_id, positive_id
)
{%- endmacro %}
