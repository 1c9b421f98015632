{# Hard and unlike each other: maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998). Of the `pool`
   candidates with the highest scores, the next one taken is always that with the highest

       lambda * s(q, d) - (1 - lambda) * max s(d, e) over all e taken before

   (the maximum of none is 0), ties by score. s is the cosine of the ensemble's vectors. #}
{% macro rule_mmr(strategy) -%}
{% set weight, pool = strategy.lambda | default(0.5), strategy.pool | default(20) -%}
{{ check_number(strategy, 'lambda', weight, 0, 1) }}
{{- check_whole_number(strategy, 'pool', pool, strategy.get('per_positive', 1)) }}
{%- set taken_in_turn -%}
(
    with pool as (
        select query_id, positive_id, doc_id, fused_score, {{ ranked('fused_score') | indent(8) }} as place
        from candidates
        where agreement > 0 and not is_known_positive and not is_positive_copy
        qualify place <= {{ pool }}
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
    ),

    turns as (
        select
            query_id,
            positive_id,
            list_reduce(
                places,
                lambda taken, turn: list_append(taken, -list_max([
                    struct_pack(
                        gain := {{ weight }} * scores[place]::double - {{ 1 - weight }}
                            * coalesce(list_max([cosines[place][other] for other in taken]), 0)::double,
                        place := -place
                    )
                    for place in places if not list_contains(taken, place)
                ]).place),
                []::bigint[]
            ) as taken,
        from pairs
    )

    select candidates.*, list_position(taken, place) as turn
    from candidates
    left join pool using (query_id, positive_id, doc_id)
    left join turns using (query_id, positive_id)
)
{%- endset %}
{{- outcome(
    strategy,
    source=taken_in_turn,
    considers='agreement > 0',
    reasons={'beyond_pool': 'turn is null'},
    order='turn',
    settings=['lambda', 'pool'],
) }}
{%- endmacro %}
