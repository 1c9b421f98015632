"""Expectation-maximization for the click model with trust bias: P(click) depends on place and relevance.

A relevant document at place k is clicked with probability p(k), another one with q(k). In the terms of Agarwal et al.,
"Addressing Trust Bias for Unbiased Learning-to-Rank" (WWW 2019): p(k) = examination(k) * P(taken for relevant |
relevant, k), and q(k) likewise; Vardasbi, Oosterhuis and de Rijke (CIKM 2020) show that no more than p and q is needed.

Relevance is hidden, and taken to be a property of the pair that all its impressions share: pairs are a mixture of two
classes. (The papers draw it anew for each impression; then p and q are known up to a line only, and a regression over
features of documents has to settle it.) A pair that was shown more often tells the classes apart better.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hnm.transforms._click_counts import Counts, Estimate, Floats, iterate, smoothed

if TYPE_CHECKING:
    from hnm.transforms.estimate_click_propensities import EstimateClickPropensitiesParams


class State(NamedTuple):
    """`relevant`, `irrelevant`: P(click | place), (places,), in (0, 1). `share`: of the pairs that are relevant."""

    relevant: Floats
    irrelevant: Floats
    share: float


def estimate(counts: Counts, params: "EstimateClickPropensitiesParams", advance: Callable[[int], None]) -> Estimate:
    """Iterate from relevant documents that are clicked three times, and others that are clicked half, as often as all.

    Where a place shows more clicks on what is not relevant, it says nothing: both rates are made their mean.
    """
    prior = params.prior_clicks, params.prior_skips
    rate = smoothed(counts.by_place(counts.clicked), counts.by_place(counts.shown), prior)
    start = State(np.minimum(3 * rate, (1 + rate) / 2), rate / 2, params.prior_clicks / sum(prior))
    state, steps, converged = iterate(
        start,
        lambda state: step(counts, state, prior),
        lambda state: np.concatenate([state.relevant, state.irrelevant]),
        params,
        advance,
    )
    mean = (state.relevant + state.irrelevant) / 2
    return Estimate(np.maximum(state.relevant, mean), np.minimum(state.irrelevant, mean), steps, converged)


def posterior(counts: Counts, state: State) -> Floats:
    """P(relevant | clicks) of each pair: (pairs,)."""
    unclicked = counts.shown - counts.clicked
    p, q = state.relevant[counts.place], state.irrelevant[counts.place]
    evidence = counts.by_pair(counts.clicked * np.log(p / q) + unclicked * np.log((1 - p) / (1 - q)))
    odds = np.log(state.share / (1 - state.share)) + evidence
    logistic: Floats = 0.5 * (1 + np.tanh(odds / 2))  # in this form it does not overflow
    return logistic


def step(counts: Counts, state: State, prior: tuple[float, float]) -> State:
    """One step: pairs weigh for either class by their posterior, and rates are clicks per impression by weight."""
    weight = posterior(counts, state)
    of_row = weight[counts.pair]
    clicked, shown = counts.clicked, counts.shown
    return State(
        smoothed(counts.by_place(of_row * clicked), counts.by_place(of_row * shown), prior),
        smoothed(counts.by_place((1 - of_row) * clicked), counts.by_place((1 - of_row) * shown), prior),
        float((weight.sum() + prior[0]) / (len(weight) + sum(prior))),
    )
