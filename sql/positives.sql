-- One row per query and document accepted as its answer, for the queries that training may see (train and dev, never
-- test). positive_rank orders the positives of a query by evidence, from 1: negatives are mined for the first
-- positives_per_query of them, and all of them are protected from becoming negatives. What is accepted, and what weight
-- it has, says the macro accepted_positives. What the var hide_positives hides stands in hidden_positives.
with accepted as (
    {{ accepted_positives() | indent }}
)

select
    query_id,
    doc_id,
    row_number() over (
        partition by query_id order by weight desc, clicked_sessions desc, doc_id
    )::integer as positive_rank,
    accepted.* exclude (query_id, doc_id, is_hidden),
from accepted
where not is_hidden
