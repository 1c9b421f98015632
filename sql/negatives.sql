-- One row per query, positive, candidate and strategy, with the outcome of every rule. exclusion_reason is null where
-- the candidate is kept as a negative, and names the first rule that it fails otherwise. See macros/outcome.sql for
-- the rules that all strategies share, and macros/rule_*.sql for each strategy's own.
{%- set strategies = var('strategies') %}
{{- check_strategies(strategies) }}
with candidates as (
    select
        query_id,
        positive_id,
        doc_id,
        split,
        d_query_doc,
        d_query_positive,
        d_positive_doc,
        fused_score,
        rrf,
        agreement,
        rank_random,
        {%- for imported in var('imported', []) %}
        rank_{{ imported }},
        {%- endfor %}
        {%- for retriever in var('retrievers') %}
        score_{{ retriever }},
        {%- endfor %}
        {%- for fusion in var('fusions', []) %}
        fused_{{ fusion.name }},
        {%- endfor %}
        is_known_positive,
        is_positive_copy,
        {%- if knows_near_duplicates() %}
        is_near_positive,
        {%- endif %}
        d_query_doc < d_query_positive as condition_1,
        d_query_doc < d_positive_doc as condition_2,
    from {{ ref('scored_candidates') }}
)
{%- for strategy in strategies %},

strategy_{{ strategy.name }} as (
    {{ macro('rule_' ~ strategy.rule)(strategy) | indent }}
)
{%- endfor %}
{% for strategy in strategies %}
{%- if not loop.first %}
union all
{%- endif %}
select
    query_id,
    positive_id,
    doc_id,
    strategy,
    split,
    d_query_doc,
    d_query_positive,
    d_positive_doc,
    fused_score,
    rrf,
    agreement,
    condition_1,
    condition_2,
    exclusion_reason,
    exclusion_step,
    selected_rank,
from strategy_{{ strategy.name }}
{%- endfor %}
