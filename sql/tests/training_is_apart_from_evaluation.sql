-- No query of a training example asks what a query of another split asks: case, punctuation and white space make no
-- difference. Nearly the same questions are in split_leaks.
select distinct triplets.query_id, triplets.split, triplets.query, other.query_id as other_id, other.split as other_split
from {{ ref('triplets') }} as triplets
join {{ ref('queries') }} as other on {{ same_text('triplets.query') }} = {{ same_text('other.text') }}
where other.split not in ('unjudged', triplets.split)
