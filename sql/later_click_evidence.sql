-- The same as click_evidence, of what was shown at clicks_before or later: for judgments to come from, so that a model
-- is tested with clicks that nothing was trained on. The stage click_propensities stays that of the earlier clicks: how
-- people look at a list is part of what is learned, and learning does not see the period of the test.
{{ evidence_from_clicks(later=true) }}
