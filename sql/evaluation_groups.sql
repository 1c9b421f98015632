-- One row per evaluation query and way of grouping the queries, with its group.
--
-- document_length: short or long, by the words of the query's right answers (their mean) against the median over the
-- queries; what equals the median is short.
-- template: how many queries of the collection, those of training too, look like this one once rare words are taken
-- away. A word is rare when fewer than 2 % of them (or fewer than 3) have it; a run of rare words becomes one gap.
-- "What are the symptoms of gout?" and "What are the symptoms of Down syndrome?" both become
-- "what are the symptoms of _". Queries of rare words alone, or whose template no other has, are `own words`, those of a
-- template that less than 1 % of the queries have are `some share`, the others `many share`.
-- Then every entry of the var evaluation_groups: a name, and a SQL expression over the columns of `query`
-- (query_id, text, split), `judgment` (doc_id, grade; the query's best right answer, the first by id) and `document`
-- (doc_id, title, text, metadata).
{%- set groups = var('evaluation_groups', {}) %}
{%- for name in groups if not name.isidentifier() or name in ['document_length', 'template'] %}
{{ raise_error("evaluation_groups: '" ~ name ~ "' must be letters, digits and underscores, and not a name of its own") }}
{%- endfor %}
with answers as (
    select query_id, doc_id, grade
    from {{ ref('evaluation_judgments') }}
    where grade > 0
),

document_lengths as (
    select query_id, {{ exact_avg("len(regexp_extract_all(text, '[\\p{L}\\p{N}]+'))") }} as document_words
    from answers
    join (select doc_id, concat_ws(' ', title, text) as text from {{ ref('corpus') }}) using (doc_id)
    group by query_id
),

tokens as (
    select query_id, regexp_extract_all(lower(text), '[\p{L}\p{N}]+') as words
    from {{ ref('queries') }}
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
),

best_answers as (
    select query_id, doc_id, grade
    from answers
    qualify row_number() over (partition by query_id order by grade desc, doc_id) = 1
)

select query_id, 'document_length' as grouping, if(document_words <= median, 'short', 'long') as "group"
from document_lengths, (select median(document_words) as median from document_lengths)
union all
select
    query_id,
    'template',
    case when sharing = 1 then 'own words' when sharing < 0.01 * queries then 'some share' else 'many share' end,
from sharing
semi join {{ ref('evaluation_queries') }} as evaluated using (query_id)
{%- for name, expression in groups.items() %}
union all
select query.query_id, '{{ name }}', coalesce(({{ expression }})::varchar, 'none')
from {{ ref('queries') }} as query
semi join {{ ref('evaluation_queries') }} as evaluated on evaluated.query_id = query.query_id
join best_answers as judgment on judgment.query_id = query.query_id
join {{ ref('corpus') }} as document on document.doc_id = judgment.doc_id
{%- endfor %}
