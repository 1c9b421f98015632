{# Negatives from the click log: documents that users were shown for the query, never clicked, and passed over. Only
   impressions above a session's last click count for that, since below it nobody may have looked (skip above: Joachims
   et al., "Accurately Interpreting Clickthrough Data as Implicit Feedback", SIGIR 2005); how often the document was
   examined there is for the click model to say. Those most often examined come first. #}
{% macro rule_shown_not_clicked(strategy) -%}
{% set least = strategy.min_examinations | default(2) -%}
{{ check_number(strategy, 'min_examinations', least, 0, 1e9) }}
{%- if var('positives_from') != 'clicks' -%}
    {{ raise_error("strategy '" ~ strategy.name ~ "': the rule 'shown_not_clicked' needs a click log; the var "
        ~ "positives_from is '" ~ var('positives_from') ~ "'") }}
{%- endif %}
{%- set shown -%}
(
    select candidates.*, clicks, examined_not_clicked
    from candidates
    join {{ ref('click_evidence') }} as click_evidence using (query_id, doc_id)
)
{%- endset %}
{{- outcome(
    strategy,
    source=shown,
    considers='agreement > 0',
    reasons={
        'clicked': 'clicks > 0',
        'never_above_last_click': 'examined_not_clicked = 0',
        'examined_too_little': 'examined_not_clicked < ' ~ least,
    },
    order='examined_not_clicked desc',
    settings=['min_examinations'],
) }}
{%- endmacro %}
