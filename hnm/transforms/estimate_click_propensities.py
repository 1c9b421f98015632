"""Transform: how likely people look at and click what stands at each position, estimated from the clicks themselves."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from hnm.context import Context
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa

# Places and pairs are numbered from 0 in sorted order, so that sums do not depend on the order of the rows.
NUMBERED = """
select
    (dense_rank() over (order by query_id, doc_id) - 1)::bigint as pair,
    (dense_rank() over (order by position) - 1)::bigint as place,
    impressions::double as shown,
    clicks::double as clicked
from counts
order by pair, place
"""
POSITIONS = """
select position::integer as position, sum(impressions)::bigint as impressions, sum(clicks)::bigint as clicks
from counts
group by position
order by position
"""


class EstimateClickPropensitiesParams(Params):
    """What is estimated, and how carefully.

    `model`: `position_bias`, in which a click needs a look and a good document; or `trust_bias`, in which documents
    that are not relevant are clicked too, the more the higher they stand.
    `prior_clicks`, `prior_skips`: clicks and examined impressions without one that are added to each unknown (a Beta
    prior), so that few impressions give no extreme values.
    `iterations`: at most so many steps of expectation-maximization; fewer when no propensity moves by more than
    `tolerance` any more.
    """

    model: Literal["position_bias", "trust_bias"] = "position_bias"
    prior_clicks: float = Field(default=0.2, gt=0)
    prior_skips: float = Field(default=0.8, gt=0)
    iterations: int = Field(default=1000, ge=1)
    tolerance: float = Field(default=1e-5, gt=0)


@transform(params=EstimateClickPropensitiesParams, inputs=("counts",), packages=("numpy",))
def estimate_click_propensities(
    inputs: Inputs, params: EstimateClickPropensitiesParams, context: Context
) -> Iterator["pa.RecordBatch"]:
    """Propensities by expectation-maximization; the formulas are in `_click_position_bias` and `_click_trust_bias`.

    Input: counts(query_id, doc_id, position, impressions, clicks), one row per query, document and position. What tells
    bias from relevance is documents that were shown at several positions: without any, the result is the prior's.
    Output, one row per position that occurs, by position: `position`, `impressions`, `clicks`, `examination` (P(looked
    at), relative to the position where it is highest, in (0, 1]), `click_if_relevant` and `click_if_irrelevant`
    (P(click | position) for either kind of document, in [0, 1]; the second is 0 with `position_bias`). Memory: the
    input's rows.
    """
    import numpy as np
    import pyarrow as pa

    from hnm.transforms import _click_position_bias, _click_trust_bias
    from hnm.transforms._click_counts import Counts

    rows = inputs.table(NUMBERED)
    counts = Counts(*(rows[name].to_numpy() for name in ("pair", "place", "shown", "clicked")))
    estimate = {"position_bias": _click_position_bias.estimate, "trust_bias": _click_trust_bias.estimate}[params.model]
    with context.progress("estimating propensities", params.iterations, "steps") as advance:
        relevant, irrelevant, steps, converged = estimate(counts, params, advance)
    if not converged:
        context.note(f"the estimate still moves after {steps} steps; give more `iterations`")
    movable = int(np.sum(np.bincount(counts.pair) > 1)) if len(counts.pair) else 0
    if len(relevant) > 1 and not movable:
        context.note("no document was shown at two positions: position bias cannot be told from relevance")
    context.record(steps=steps, converged=converged, pairs_at_several_positions=movable)
    table = inputs.table(POSITIONS)
    best = relevant.max(initial=0)
    for name, values in (
        ("examination", relevant / best if best else relevant),
        ("click_if_relevant", relevant),
        ("click_if_irrelevant", irrelevant),
    ):
        table = table.append_column(name, pa.array(values, pa.float64()))
    yield from table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], table.schema)]
