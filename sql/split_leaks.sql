-- One row per pair of queries in different splits that ask the same (kind same_text) or nearly the same (near_duplicate):
-- the Jaccard index of their sets of words is at least near_duplicate_similarity. The pair that a model can gain most
-- from stands first: shared_answers counts the documents that are judged right for both.
--
-- Every such pair is found, and few others are looked at. Two sets with Jaccard index s or more share one of the rarest
-- n - ceil(s n) + 1 of the n words of either (prefix filter: Bayardo, Ma and Srikant, WWW 2007).
{%- set least = number_var('near_duplicate_similarity', var('near_duplicate_similarity', 0.8), 0, 1) %}
with asked as (
    select query_id, split, text, {{ same_text('text') }} as same_text, {{ words('text') }} as words
    from {{ ref('queries') }}
    where split <> 'unjudged'
),

each_word as (
    select query_id, split, len(words) as size, unnest(words) as word
    from asked
),

frequencies as (
    select word, count(*) as queries
    from each_word
    group by word
),

rarest as (
    select query_id, split, size, word
    from each_word
    join frequencies using (word)
    qualify
        row_number() over (partition by query_id order by queries, word)
        <= size - ceil({{ least }}::decimal(9, 6) * size) + 1
),

looked_at as (
    select distinct one.query_id, other.query_id as other_id
    from rarest as one
    join rarest as other using (word)
    where
        one.query_id < other.query_id
        and one.split <> other.split
        and least(one.size, other.size) >= {{ least }}::decimal(9, 6) * greatest(one.size, other.size)
    union
    select one.query_id, other.query_id as other_id
    from asked as one
    join asked as other using (same_text)
    where one.query_id < other.query_id and one.split <> other.split
),

compared as (
    select
        query_id,
        other_id,
        one.split,
        other.split as other_split,
        one.text,
        other.text as other_text,
        if(one.same_text = other.same_text, 'same_text', 'near_duplicate') as kind,
        {{ jaccard('one.words', 'other.words') | indent(8) }} as similarity,
    from looked_at
    join asked as one using (query_id)
    join (select query_id as other_id, * exclude (query_id) from asked) as other using (other_id)
),

answers as (
    select query_id, doc_id
    from {{ ref('judgments') }}
    where grade > 0
),

shared as (
    select query_id, other_id, count(*) as shared_answers
    from compared
    join answers using (query_id)
    join (select query_id as other_id, doc_id from answers) using (other_id, doc_id)
    group by query_id, other_id
)

select
    query_id,
    other_id,
    split,
    other_split,
    kind,
    similarity,
    coalesce(shared_answers, 0) as shared_answers,
    text,
    other_text,
from compared
left join shared using (query_id, other_id)
where kind = 'same_text' or similarity >= {{ least }}
order by shared_answers desc, similarity desc, query_id, other_id
