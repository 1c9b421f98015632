{# Why a session with so many `impressions` and `clicks` is no person's: a SQL expression, null for all others. Empty
   when the vars max_session_impressions and max_session_clicks set no limit. #}
{% macro session_limits() -%}
{% set limits = {'impressions': var('max_session_impressions', none), 'clicks': var('max_session_clicks', none)} -%}
{% set reasons = [] -%}
{% for counted, limit in limits.items() if limit is not none -%}
    {% if not limit is integer or limit is boolean or limit < 0 -%}
        {{ raise_error("max_session_" ~ counted ~ " is " ~ limit ~ "; it must be a whole number from 0, or null") }}
    {%- endif -%}
    {% if reasons.append('when ' ~ counted ~ ' > ' ~ limit ~ " then 'too_many_" ~ counted ~ "'") %}{% endif -%}
{% endfor -%}
{{ 'case ' ~ reasons | join(' ') ~ ' end' if reasons }}
{%- endmacro %}
