{# The impressions that count as evidence, and what is a click among them. Left out: sessions in excluded_sessions; with
   clicks_before, what was not shown before it or, if `later`, at it or after it. Without a time, an impression is in
   neither period.

   clicked: clicked, and not for less than min_dwell_seconds where the dwell time is known.
   last_click: position of the session's last click for the query, however short; null without one.
   passed_over: not clicked at all, and above the last click.
   reached: at the last click, or above it.
   preferred: clicked, and something above it was not. #}
{% macro counted_impressions(later=false) -%}
{% set min_dwell = var('min_dwell_seconds', none) -%}
{% set before = var('clicks_before', none) -%}
{% if min_dwell is not none and (not min_dwell is number or min_dwell is boolean or min_dwell < 0) -%}
    {{ raise_error("min_dwell_seconds is " ~ min_dwell ~ "; it must be a number from 0, or null") }}
{%- endif -%}
select
    session_id,
    query_id,
    doc_id,
    position,
    dwell_seconds,
    log.clicked{% if min_dwell is not none %} and coalesce(dwell_seconds >= {{ min_dwell }}, true){% endif %} as clicked,
    max(position) filter (log.clicked) over session as last_click,
    coalesce(not log.clicked and position < last_click, false) as passed_over,
    coalesce(position <= last_click, false) as reached,
    log.clicked and coalesce(position > min(position) filter (not log.clicked) over session, false) as preferred,
from {{ ref('impressions') }} as log
{%- if session_limits() %}
anti join {{ ref('excluded_sessions') }} using (session_id)
{%- endif %}
{%- if before is not none %}
where shown_at {{ '>=' if later else '<' }} '{{ before | string | replace("'", "''") }}'::timestamp
{%- endif %}
window session as (partition by session_id, query_id)
{%- endmacro %}
