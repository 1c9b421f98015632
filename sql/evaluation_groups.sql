-- One row per evaluation query and way of grouping the queries, with its group.
--
-- document_length: short or long, by the words of the query's right answers (their mean) against the median over the
-- queries; what equals the median is short.
-- template: how many queries of the collection look like this one; see the macro template_groups.
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

best_answers as (
    select query_id, doc_id, grade
    from answers
    qualify row_number() over (partition by query_id order by grade desc, doc_id) = 1
)

select query_id, 'document_length' as grouping, if(document_words <= median, 'short', 'long') as "group"
from document_lengths, (select median(document_words) as median from document_lengths)
union all
select query_id, grouping, "group"
from ({{ template_groups(ref('queries')) }})
semi join {{ ref('evaluation_queries') }} as evaluated using (query_id)
{%- for name, expression in groups.items() %}
union all
select query.query_id, '{{ name }}', coalesce(({{ expression }})::varchar, 'none')
from {{ ref('queries') }} as query
semi join {{ ref('evaluation_queries') }} as evaluated on evaluated.query_id = query.query_id
join best_answers as judgment on judgment.query_id = query.query_id
join {{ ref('corpus') }} as document on document.doc_id = judgment.doc_id
{%- endfor %}
