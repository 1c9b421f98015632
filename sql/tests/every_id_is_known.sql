-- Every id in a training example is that of a query or document that exists.
select triplets.*
from {{ ref('triplets') }} as triplets
where
    query_id not in (select query_id from {{ ref('queries') }})
    or positive_id not in (select doc_id from {{ ref('corpus') }})
    or negative_id not in (select doc_id from {{ ref('corpus') }})
