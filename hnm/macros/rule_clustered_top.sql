{# Hard, and at most so many of a kind: of the `pool` candidates with the highest scores, the highest come first, but at
   most `per_cluster` of each cluster. Clusters are those of the leader algorithm (Hartigan, Clustering Algorithms, 1975,
   chapter 3): by falling score, a candidate joins the first leader that it is alike to (cosine of the ensemble's vectors
   at least `min_cosine`), or becomes a leader. #}
{% macro rule_clustered_top(strategy) -%}
{% set per_cluster, pool = strategy.per_cluster | default(1), strategy.pool | default(20) -%}
{% set min_cosine = strategy.min_cosine | default(0.8) -%}
{{ check_number(strategy, 'min_cosine', min_cosine, -1, 1) }}
{{- check_whole_number(strategy, 'per_cluster', per_cluster, 1) }}
{{- check_whole_number(strategy, 'pool', pool, strategy.get('per_positive', 1)) }}
{%- set clustered -%}
(
    with {{ pool_cosines(pool) | indent }},

    led as (
        select
            *,
            list_reduce(
                places,
                lambda leaders, place: if(
                    len([leader for leader in leaders if cosines[place][leader] >= {{ min_cosine }}]) = 0,
                    list_append(leaders, place),
                    leaders
                ),
                []::bigint[]
            ) as leaders,
        from pairs
    ),

    members as (
        select
            query_id,
            positive_id,
            unnest(places) as place,
            unnest([
                coalesce([leader for leader in leaders if cosines[place][leader] >= {{ min_cosine }}][1], place)
                for place in places
            ]) as cluster,
        from led
    )

    select
        candidates.*,
        place,
        cluster,
        row_number() over (partition by query_id, positive_id, cluster order by place) as place_in_cluster,
    from candidates
    left join pool using (query_id, positive_id, doc_id)
    left join members using (query_id, positive_id, place)
)
{%- endset %}
{{- outcome(
    strategy,
    source=clustered,
    considers='agreement > 0',
    reasons={'beyond_pool': 'place is null', 'beyond_per_cluster': 'place_in_cluster > ' ~ per_cluster},
    order='place',
    settings=['per_cluster', 'min_cosine', 'pool'],
) }}
{%- endmacro %}
