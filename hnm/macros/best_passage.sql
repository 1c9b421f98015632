{# Candidates whose doc_id is a passage's id, as candidates of documents: a document scores as its best passage does, and
   the `top_k` best of a query are kept, equal ones by id. MaxP: Dai and Callan, "Deeper Text Understanding for IR with
   Contextual Neural Language Modeling", SIGIR 2019.

   candidates: ref() of a retriever's candidates over passages; passages: ref() of a split_passages stage. #}
{% macro best_passage(candidates, passages, retriever, top_k=100) -%}
select
    query_id,
    doc_id,
    '{{ retriever }}' as retriever,
    (row_number() over (partition by query_id order by score desc, doc_id))::integer as rank,
    score,
from (
    select query_id, passages.doc_id, max(score) as score
    from {{ candidates }} as candidates
    join {{ passages }} as passages on passages.passage_id = candidates.doc_id
    group by query_id, passages.doc_id
)
qualify rank <= {{ top_k }}
{%- endmacro %}
