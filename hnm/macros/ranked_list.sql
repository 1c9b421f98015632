{# The lists of one first stage, as (query_id, doc_id, retriever, rank, score): those of a retriever, or `rrf`, the
   reciprocal rank fusion of all retrievers' whole lists (k is the var rrf_k), ties by document id. Only the queries of
   evaluation_queries, cut at evaluation_depth. #}
{% macro ranked_list(name) -%}
{% set retrievers = var('retrievers') -%}
select query_id, doc_id, retriever, rank, score
from (
{%- if name in retrievers %}
    from {{ ref('candidates_' ~ name) }}
{%- elif name == 'rrf' -%}
    select
        query_id,
        doc_id,
        'rrf' as retriever,
        row_number() over (partition by query_id order by score desc, doc_id)::integer as rank,
        score::float as score,
    from (
        select query_id, doc_id, {{ exact_sum('1 / (' ~ rrf_k() ~ ' + rank)') }} as score
        from (
            {%- for retriever in retrievers %}
            {{ 'union all' if not loop.first }}
            select query_id, doc_id, rank from {{ ref('candidates_' ~ retriever) }}
            {%- endfor %}
        )
        group by query_id, doc_id
    )
{%- else -%}
{{ raise_error("evaluation_first_stage is '" ~ name ~ "'; it must be one of the var `retrievers`, or rrf: "
    ~ (retrievers + ['rrf']) | join(', ')) }}
{%- endif %}
)
where
    rank <= {{ whole_number_var('evaluation_depth', var('evaluation_depth', 50)) }}
    and query_id in (select query_id from {{ ref('evaluation_queries') }})
{%- endmacro %}
