{# Simplified dynamic Bayesian network: people read from the top, click what attracts them, and stop once satisfied.
   Chapelle and Zhang, "A Dynamic Bayesian Network Click Model for Web Search Ranking", WWW 2009 (section 6, Algorithm 1:
   nobody gives up). What stands at or above a session's last click was looked at, and the last click satisfied.

   Of the looks at a document, a share of clicks / looks led to a click, and of those clicks a share of last clicks /
   clicks satisfied. The paper takes their product for the relevance, which is
     attractiveness = last clicks / looks,
   and lower_bound is Wilson's bound of it. Sessions without a click say nothing. #}
{% macro click_dbn(counts) -%}
{{ evidence_columns(
    evidence_sums(counts, 'certain', {'looks': 'sum(reached)::bigint', 'satisfied': 'sum(last_clicks)::bigint'}),
    attractiveness='coalesce(satisfied / nullif(looks, 0), 0)',
    lower_bound=wilson_lower_bound('satisfied', 'looks'),
    examinations='looks',
    sample='satisfied',
) }}
{%- endmacro %}
