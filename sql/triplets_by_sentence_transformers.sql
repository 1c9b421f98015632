-- One row per training example of the comparison with sentence-transformers' own mining: its negatives, and the random
-- ones of the same pairs that every recipe of the experiment gets.
select query_id, positive_id, negative_id, query, positive, negative, strategy, selected_rank, split
from {{ ref('mined_by_sentence_transformers') }}
union all
select query_id, positive_id, negative_id, query, positive, negative, strategy, selected_rank, split
from {{ ref('triplets__experiment') }}
where strategy = 'random'
