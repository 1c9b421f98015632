-- One row per query that negatives are mined for and document that no strategy may keep as a negative of it: its
-- positives, and those of queries that ask the same (case, punctuation and white space make no difference). One answer is
-- right for all of them, and training would be told that it is right and wrong. With protect_judged_positives, what the
-- judgments call right counts as well; what hide_positives hides does not, whoever else asks for it. normalized_hash: of
-- the document's text, as in texts.
with asked as (
    select id as query_id, {{ same_text('text') }} as question
    from {{ ref('texts') }}
    where kind = 'query'
),

known as (
    select query_id, doc_id
    from {{ ref('positives') }}
    {%- if var('protect_judged_positives', false) %}
    union
    select query_id, doc_id
    from {{ ref('judgments') }}
    where grade >= {{ whole_number_var('min_grade', var('min_grade', 1), least=0) }}
    {%- endif %}
),

-- A question may be asked under a thousand ids: their answers are put together before they are given to each.
answers as (
    select distinct question, doc_id
    from known
    join asked using (query_id)
)

select query_id, doc_id, normalized_hash
from asked
join answers using (question)
left join {{ ref('texts') }} as texts on kind = 'document' and id = doc_id
{%- if var('hide_positives', 0) != 0 %}
anti join {{ ref('hidden_positives') }} using (query_id, doc_id)
{%- endif %}
where query_id in (select query_id from {{ ref('positives') }})
