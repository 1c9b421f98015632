"""Expectation-maximization for the position-based click model: P(click) = examination(place) * attractiveness(pair).

Chuklin, Markov and de Rijke, "Click Models for Web Search" (2015), 3.2 and 4.2, with a Beta prior on all unknowns. The
two factors are known up to a common one, because half the examination with double the attractiveness gives the same
clicks: the place that is looked at most is taken to be looked at always.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hnm.transforms._click_counts import Counts, Estimate, Floats, iterate, smoothed

if TYPE_CHECKING:
    from hnm.transforms.estimate_click_propensities import EstimateClickPropensitiesParams


class State(NamedTuple):
    """`examination`: (places,), in (0, 1]. `attractiveness`: (pairs,), in (0, 1)."""

    examination: Floats
    attractiveness: Floats


def estimate(counts: Counts, params: "EstimateClickPropensitiesParams", advance: Callable[[int], None]) -> Estimate:
    """Iterate from examination that falls with the click rate of the places, and middling attractiveness."""
    prior = params.prior_clicks, params.prior_skips
    rate = smoothed(counts.by_place(counts.clicked), counts.by_place(counts.shown), prior)
    mean = params.prior_clicks / sum(prior)
    pairs = len(counts.by_pair(counts.shown))
    start = State(rate / rate.max(initial=0), np.full(pairs, mean))
    state, steps, converged = iterate(
        start, lambda state: step(counts, state, prior), lambda state: state.examination, params, advance
    )
    return Estimate(state.examination, np.zeros_like(state.examination), steps, converged)


def step(counts: Counts, state: State, prior: tuple[float, float]) -> State:
    """One step. Of an impression without a click, with e = examination and a = attractiveness:

    P(looked at) = e (1 - a) / (1 - e a), P(attractive) = a (1 - e) / (1 - e a). With a click, both are 1.
    """
    e, a = state.examination[counts.place], state.attractiveness[counts.pair]
    unclicked = (counts.shown - counts.clicked) / np.maximum(1 - e * a, 1e-12)
    examined = counts.by_place(counts.clicked + unclicked * e * (1 - a))
    attracted = counts.by_pair(counts.clicked + unclicked * a * (1 - e))
    examination = smoothed(examined, counts.by_place(counts.shown), prior)
    attractiveness = smoothed(attracted, counts.by_pair(counts.shown), prior)
    highest = examination.max(initial=0)
    return State(examination / highest, attractiveness * highest) if highest else State(examination, attractiveness)
