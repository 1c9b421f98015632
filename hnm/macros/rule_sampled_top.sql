{# A uniform draw from the top of one score: from the ranks n with from < n <= to. Known positives take no rank. With a
   single dense retriever's score and the first 200 ranks, these are the static negatives of STAR (arXiv 2104.08051). #}
{% macro rule_sampled_top(strategy) -%}
{% set by = strategy.by | default('fused_score') -%}
{% set skipped, last = strategy.from | default(0), strategy.to | default(100) -%}
{% set seed = strategy.seed | default(0) -%}
{{ check_score(strategy, by) }}
{{- check_window(strategy, skipped, last) }}
{{- check_whole_number(strategy, 'seed', seed, 0) }}
{{- outcome(
    strategy,
    considers='agreement > 0 and ' ~ by ~ ' is not null',
    measures={'place': ranked(by)},
    reasons={
        'before_window': 'place <= ' ~ skipped,
        'behind_window': 'place > ' ~ last,
    },
    order=drawn(seed),
    settings=['by', 'from', 'to', 'seed'],
) }}
{%- endmacro %}
