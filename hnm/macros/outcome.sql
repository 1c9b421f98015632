{# What a strategy decides about every candidate that it considers: the body of every rule.

   considers: SQL condition; only candidates that meet it get a row for this strategy.
   reasons: the rule's own reasons to exclude, in order, each with the SQL condition that excludes.
   order: SQL expression; of the candidates that pass, the smallest come first (ties by document id).
   settings: the names of the rule's own settings, beside name, rule, per_positive and fills.

   exclusion_reason is null for what is kept; exclusion_step is the reason's place in the order of rules, from 1.
   selected_rank counts the candidates that pass within query and positive, from 1; those behind per_positive are
   excluded. A strategy with `fills` passes only in pairs of query and positive that all those strategies left empty. #}
{% macro outcome(strategy, considers, reasons, order, settings=[]) -%}
{% for setting in strategy if setting not in ['name', 'rule', 'per_positive', 'fills'] + settings -%}
    {{ raise_error("strategy '" ~ strategy.name ~ "': the rule '" ~ strategy.rule ~ "' has no setting '" ~ setting
        ~ "' (it has: " ~ (['per_positive', 'fills'] + settings) | join(', ') ~ ")") }}
{%- endfor -%}
{% set filled = filled_strategies(strategy).split() -%}
{% set rules = {
    'known_positive': 'is_known_positive',
    'copy_of_positive': 'is_positive_copy',
} -%}
{% if rules.update(reasons) %}{% endif -%}
{% if filled and rules.update({'filled_by_earlier_strategy': 'filled.query_id is not null'}) %}{% endif -%}
select
    candidates.*,
    '{{ strategy.name }}' as strategy,
    case
        {%- for reason, excludes in rules.items() %}
        when {{ excludes }} then '{{ reason }}'
        {%- endfor %}
    end as failed,
    if(failed is null, row_number() over (
        partition by candidates.query_id, candidates.positive_id, failed is null order by {{ order }}, doc_id
    ), null)::integer as selected_rank,
    case
        when selected_rank > {{ strategy.per_positive | default(1) }} then 'beyond_per_positive'
        else failed
    end as exclusion_reason,
    list_position({{ rules | list + ['beyond_per_positive'] }}, exclusion_reason)::integer as exclusion_step,
from candidates
{%- if filled %}
left join (
    {%- for earlier in filled %}
    {%- if not loop.first %}
    union
    {%- endif %}
    select distinct query_id, positive_id from strategy_{{ earlier }} where exclusion_reason is null
    {%- endfor %}
) as filled on filled.query_id = candidates.query_id and filled.positive_id = candidates.positive_id
{%- endif %}
where {{ considers }}
{%- endmacro %}
