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
    with {{ pool_cosines(pool) | indent }},

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
