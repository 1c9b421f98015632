-- One row per judged pair of a known query and a known document, in the split of the query. A pair that was judged
-- several times has the highest of its grades. What is left out stands in unknown_judgments. With judgments_from:
-- clicks, for a project that has no judgments, a pair that the click log accepts counts as judged right: by the clicks
-- from clicks_before on when that var is set, which positives do not see.
{%- set from = var('judgments_from', 'source') %}
{%- if from not in ['source', 'clicks'] %}
{{ raise_error("judgments_from is '" ~ from ~ "'; it must be 'source' or 'clicks'") }}
{%- endif %}
{%- if from == 'source' %}
select query_id, doc_id, max(grade)::integer as grade, queries.split
from ({{ with_problem(source('collection', 'judgments')) }}) as judgments
join {{ ref('queries') }} as queries using (query_id)
where problem is null
group by query_id, doc_id, queries.split
{%- else %}
select query_id, doc_id, 1 as grade, split
from {{ ref('later_click_evidence' if judged_by_later_clicks() else 'click_evidence') }}
join {{ ref('queries') }} as queries using (query_id)
where {{ accepted_by_clicks() | indent(4) }}
{%- endif %}
