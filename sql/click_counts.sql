-- One row per query, document and position that it was shown at: what the stage click_propensities learns from.
with log as (
    {{ counted_impressions() | indent }}
)

{{ clicks_by_position('log') }}
