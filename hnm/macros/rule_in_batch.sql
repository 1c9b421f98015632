{# In-batch negatives (DPR, arXiv 2004.04906): positives of other queries, whatever a retriever says of them. Of the
   documents drawn at random for the query, those that are a positive of another query of its split, in the order drawn:
   a uniform draw from all such positives. #}
{% macro rule_in_batch(strategy) -%}
{{ outcome(
    strategy,
    considers='rank_random is not null',
    reasons={
        'no_positive_of_another_query':
            '(doc_id, split) not in (select doc_id, split from ' ~ ref('positives') ~ ')',
    },
    order='rank_random',
) }}
{%- endmacro %}
