{# A shifted window of ranks: the first `from` ranks by a score are skipped, where unlabelled positives are likeliest,
   and nothing is taken behind rank `to`. Ranks n with from < n <= to, the best first. Known positives take no rank.
   The range_min and range_max of sentence-transformers' mine_hard_negatives. #}
{% macro rule_shifted_window(strategy) -%}
{% set by = strategy.by | default('fused_score') -%}
{% set skipped, last = strategy.from | default(10), strategy.to | default(100) -%}
{{ check_score(strategy, by) }}
{{- check_window(strategy, skipped, last) }}
{{- outcome(
    strategy,
    considers='agreement > 0 and ' ~ by ~ ' is not null',
    measures={'place': ranked(by)},
    reasons={
        'before_window': 'place <= ' ~ skipped,
        'behind_window': 'place > ' ~ last,
    },
    order='place',
    settings=['by', 'from', 'to'],
) }}
{%- endmacro %}
