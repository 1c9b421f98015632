{# What a strategy decides about every candidate that it considers: the body of every rule.

   considers: SQL condition; only candidates that meet it get a row for this strategy.
   reasons: the rule's own reasons to exclude, in order, each with the SQL condition that excludes.
   order: SQL expression; of the candidates that pass, the smallest come first (ties by document id).
   settings: the names of the rule's own settings, beside name, rule, per_positive, fills and max_uses.
   measures: columns for conditions and order, each with its SQL expression over what is considered; it may be a window.
   source: the relation that is read: the candidates, with whatever columns the rule adds to them.

   exclusion_reason is null for what is kept; exclusion_step is the reason's place in the order of rules, from 1.
   selected_rank counts the candidates that pass within query and positive, from 1; those behind per_positive are
   excluded. A strategy with `fills` passes only in pairs of query and positive that all those strategies left empty. #}
{% macro outcome(strategy, considers, reasons, order, settings=[], measures={}, source='candidates') -%}
{% for setting in strategy if setting not in ['name', 'rule', 'per_positive', 'fills', 'max_uses'] + settings -%}
    {{ raise_error("strategy '" ~ strategy.name ~ "': the rule '" ~ strategy.rule ~ "' has no setting '" ~ setting
        ~ "' (it has: " ~ (['per_positive', 'fills', 'max_uses'] + settings) | join(', ') ~ ")") }}
{%- endfor -%}
{% set filled -%}
    {% for earlier in filled_strategies(strategy).split() -%}
    {{ 'union ' if not loop.first -}}
    select query_id, positive_id from strategy_{{ earlier }} where exclusion_reason is null
    {% endfor -%}
{% endset -%}
{% set rules = {
    'known_positive': 'is_known_positive',
    'copy_of_positive': 'is_positive_copy',
} -%}
{% if knows_near_duplicates() and rules.update({'near_positive': 'is_near_positive'}) %}{% endif -%}
{% if rules.update(reasons) %}{% endif -%}
{% set chained = {'filled_by_earlier_strategy': '(query_id, positive_id) in (' ~ filled | trim ~ ')'} -%}
{% if filled and rules.update(chained) %}{% endif -%}
{% set ending = (['beyond_max_uses'] if strategy.max_uses is defined else []) + ['beyond_per_positive'] -%}
{% set considered -%}
select
    *,
    case
        {%- for reason, excludes in rules.items() %}
        when {{ excludes }} then '{{ reason }}'
        {%- endfor %}
    end as failed,
from (
    select
        *,
        {%- for measure, expression in measures.items() %}
        {{ expression | indent(8) }} as {{ measure }},
        {%- endfor %}
    from {{ source | indent }}
    where {{ considers }}
)
{%- endset -%}
select
    *,
    '{{ strategy.name }}' as strategy,
    case
        when selected_rank > {{ strategy.per_positive | default(1) }} then 'beyond_per_positive'
        else failed
    end as exclusion_reason,
    list_position({{ rules | list + ending }}, exclusion_reason)::integer as exclusion_step,
from (
    with considered as (
        {{ (within_max_uses(strategy, considered, order) if strategy.max_uses is defined else considered) | indent(8) }}
    )

    -- Only what passes is ranked: sorting the others too, most of all, would take longer than all the rest.
    select
        *,
        row_number() over (partition by query_id, positive_id order by {{ order }}, doc_id)::integer as selected_rank,
    from considered
    where failed is null
    union all
    select *, null
    from considered
    where failed is not null
)
{%- endmacro %}
