{# Why a session with so many `impressions` and `clicks` is no person's: a SQL expression, null for all others. Empty
   when the vars max_session_impressions and max_session_clicks set no limit. #}
{% macro session_limits() -%}
{% set limits = {'impressions': var('max_session_impressions', none), 'clicks': var('max_session_clicks', none)} -%}
{% set reasons = [] -%}
{% for counted, limit in limits.items() if limit is not none -%}
    {% set limit = whole_number_var('max_session_' ~ counted, limit, least=0, optional=true) -%}
    {% if reasons.append('when ' ~ counted ~ ' > ' ~ limit ~ " then 'too_many_" ~ counted ~ "'") %}{% endif -%}
{% endfor -%}
{{ 'case ' ~ reasons | join(' ') ~ ' end' if reasons }}
{%- endmacro %}
