{# A mixture of earlier strategies: for each pair, the first so many documents that pass in each of them, in the order
   of `mixes`. A document that one has given is not taken from another again: that one gives its next. So the proportions
   hold as long as each has enough; none makes up for another. #}
{% macro rule_mix(strategy) -%}
{% set mixes = strategy.mixes | default({}) -%}
{% if not mixes is mapping or not mixes -%}
    {{ raise_error("strategy '" ~ strategy.name ~ "': mixes must say how many to take of which strategies, such as "
        ~ "{paper: 2, random: 2}") }}
{%- endif -%}
{% for part, share in mixes.items() -%}
    {{ check_whole_number(strategy, 'mixes: ' ~ part, share, 1) }}
{%- endfor -%}
{% if strategy.per_positive is defined -%}
    {{ raise_error("strategy '" ~ strategy.name ~ "': mixes says how many are kept; leave per_positive out") }}
{%- endif -%}
{% set mixed -%}
(
    with
    {%- for part, share in mixes.items() %}
    part_{{ loop.index }} as (
        select
            query_id,
            positive_id,
            doc_id,
            {{ loop.index }} as part,
            selected_rank as place,
        from strategy_{{ part }}
        {%- for before in range(1, loop.index) %}
        anti join part_{{ before }} using (query_id, positive_id, doc_id)
        {%- endfor %}
        where selected_rank is not null
        qualify row_number() over (partition by query_id, positive_id order by selected_rank) <= {{ share }}
    ),
    {%- endfor %}

    taken as (
        {%- for part in mixes %}
        {{ 'union all ' if not loop.first }}from part_{{ loop.index }}
        {%- endfor %}
    ),

    passed as (
        {%- for part in mixes %}
        {{ 'union ' if not loop.first -}}
        select query_id, positive_id, doc_id from strategy_{{ part }} where selected_rank is not null
        {%- endfor %}
    )

    select candidates.*, part, place
    from candidates
    join passed using (query_id, positive_id, doc_id)
    left join taken using (query_id, positive_id, doc_id)
)
{%- endset %}
{{- outcome(
    dict(strategy, per_positive=mixes.values() | sum),
    source=mixed,
    considers='true',
    reasons={'beyond_mix': 'part is null'},
    order='part, place',
    settings=['mixes'],
) }}
{%- endmacro %}
