-- One row per query and document that was shown for it: what the click log says of the pair (macros/
-- evidence_from_clicks.sql), for positives to come from. With the var clicks_before, of what was shown before it.
{{ evidence_from_clicks() }}
