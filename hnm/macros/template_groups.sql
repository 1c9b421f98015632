{# How many queries of a collection look like each of them once rare words are taken away: `many share`, `some share` or
   `own words`. A word is rare when fewer than 2 % of the queries (or fewer than 3) have it; a run of rare words becomes one
   gap. "What are the symptoms of gout?" and "What are the symptoms of Down syndrome?" both become
   "what are the symptoms of _". Queries of rare words alone, or whose template no other has, are `own words`, those of a
   template that less than 1 % of the queries have are `some share`, the others `many share`.

   queries: all of the collection, those of training too, with query_id and text. #}
{% macro template_groups(queries) -%}
with tokens as (
    select query_id, regexp_extract_all(lower(text), '[\p{L}\p{N}]+') as words
    from {{ queries }}
),

frequent as (
    select word
    from (select distinct query_id, unnest(words) as word from tokens)
    group by word
    having count(*) >= greatest(3, 0.02 * (select count(*) from tokens))
),

templates as (
    select
        query_id,
        regexp_replace(
            list_aggregate(
                list_transform(words, lambda word: if(list_contains(known, word), word, '_')), 'string_agg', ' '
            ),
            '_( _)+',
            '_',
            'g'
        ) as template,
    from tokens, (select coalesce(list(word), []) as known from frequent)
),

sharing as (
    select
        query_id,
        if(template = '_', 1, count(*) over (partition by template)) as sharing,
        count(*) over () as queries,
    from templates
)

select
    query_id,
    'template' as grouping,
    case when sharing = 1 then 'own words' when sharing < 0.01 * queries then 'some share' else 'many share' end
        as "group",
from sharing
{%- endmacro %}
