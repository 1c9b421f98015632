{# One column fused_<name> per fusion: the weighted mean of the points that its method gives a document for each
   retriever. Null where no retriever of a weight above 0 returned the document.

   fusions: a list of {name, method, weights}. A method is a macro fuse_<method>(retriever, fused), which gives SQL for
   the points by one retriever, `fused` being those with a weight above 0. It reads one row per query_id and doc_id with
   rank_<retriever> (null where not returned) and scaled_<retriever> (see scaled_scores), and may look at the query's
   other rows by `over (partition by query_id)`. weights: by retriever, 1 where none is given. #}
{% macro fused_columns(fusions, retrievers) -%}
{% set names = [] -%}
{% for fusion in fusions -%}
    {% if fusion is not mapping or not fusion.name is defined or not fusion.method is defined -%}
        {{ raise_error("fusion " ~ loop.index ~ " is " ~ fusion ~ "; it needs at least `name` and `method`") }}
    {%- endif %}
    {%- if not fusion.name is string or not fusion.name.isidentifier() -%}
        {{ raise_error("the fusion name '" ~ fusion.name ~ "' must be letters, digits and underscores") }}
    {%- endif %}
    {%- if fusion.name | lower == 'score' -%}
        {{ raise_error("a fusion cannot be named 'score': fused_score is the cosine in the ensemble") }}
    {%- endif %}
    {%- if fusion.name | lower in names -%}
        {{ raise_error("two fusions are named '" ~ fusion.name ~ "'") }}
    {%- endif %}
    {%- if names.append(fusion.name | lower) %}{% endif -%}
    {% for setting in fusion if setting not in ['name', 'method', 'weights'] -%}
        {{ raise_error("fusion '" ~ fusion.name ~ "' has no setting '" ~ setting
            ~ "' (it has: name, method, weights)") }}
    {%- endfor %}
    {%- set weights = fusion.weights | default({}) -%}
    {% for retriever, weight in weights.items() -%}
        {% if retriever not in retrievers -%}
            {{ raise_error("fusion '" ~ fusion.name ~ "': '" ~ retriever ~ "' is no retriever (there are: "
                ~ retrievers | join(', ') ~ ")") }}
        {%- endif %}
        {%- if not weight is number or weight is boolean or not 0 <= weight < 1e9 -%}
            {{ raise_error("fusion '" ~ fusion.name ~ "': the weight of '" ~ retriever ~ "' is " ~ weight
                ~ "; it must be a number from 0") }}
        {%- endif %}
    {%- endfor %}
    {%- set fused = [] -%}
    {% for retriever in retrievers if weights.get(retriever, 1) > 0 and fused.append(retriever) %}{% endfor -%}
    {% if not fused -%}
        {{ raise_error("fusion '" ~ fusion.name ~ "' leaves all retrievers out: give one a weight above 0") }}
    {%- endif %}
    {%- set total = namespace(weight=0) -%}
    {% for retriever in fused %}{% set total.weight = total.weight + weights.get(retriever, 1) %}{% endfor -%}
case
    when {{ returned_by(fused) }} > 0 then (
        {%- for retriever in fused %}
        {{ '+ ' if not loop.first }}{{ weights.get(retriever, 1) / total.weight }}::double * (
            {{- macro('fuse_' ~ fusion.method)(retriever, fused) }})
        {%- endfor %}
    )
end as fused_{{ fusion.name }},
{% endfor -%}
{% endmacro %}

{# How many of the retrievers returned the document. #}
{% macro returned_by(retrievers) -%}
({% for retriever in retrievers %}{{ ' + ' if not loop.first }}(rank_{{ retriever }} is not null)::integer{% endfor %})
{%- endmacro %}

{# scaled_<retriever>: the score between the query's lowest (0) and highest (1) by that retriever; 1 where all are equal,
   null where it did not return the document. #}
{% macro scaled_scores(retrievers) -%}
{% for retriever in retrievers -%}
{% set score = 'score_' ~ retriever ~ '::double' -%}
{% set low = 'min(' ~ score ~ ') over (partition by query_id)' -%}
{% set high = 'max(' ~ score ~ ') over (partition by query_id)' -%}
if({{ low }} < {{ high }}, ({{ score }} - {{ low }}) / ({{ high }} - {{ low }}), {{ score }} * 0 + 1) as scaled_{{ retriever }},
{% endfor -%}
{% endmacro %}
