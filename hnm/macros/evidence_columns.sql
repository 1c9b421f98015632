{# The columns of every click model, one row per query and document: the body of each macro click_NAME.

   rows: a query with the columns of evidence_sums. attractiveness, lower_bound: SQL expressions in [0, 1].
   examinations: how often the model takes the document to have been looked at. against: how often without a click,
   above the session's last click. sample: how many clicks of equal weight the estimate is worth. clipped: share of the
   impressions whose propensity was raised to the least allowed. #}
{% macro evidence_columns(
    rows, attractiveness, lower_bound, examinations='expected_examinations', against='examined_not_clicked',
    sample='clicks', clipped='0'
) -%}
select
    query_id,
    doc_id,
    ({{ examinations }})::double as expected_examinations,
    ({{ against }})::double as examined_not_clicked,
    ({{ sample }})::double as effective_sample_size,
    ({{ clipped }})::double as clipped_share,
    ({{ attractiveness }})::double as attractiveness,
    ({{ lower_bound }})::double as lower_bound,
from (
    {{ rows | indent }}
)
{%- endmacro %}
