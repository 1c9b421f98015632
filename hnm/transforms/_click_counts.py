"""What the estimators of click propensities read, and how they iterate. Pure numpy; imported while a transform runs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hnm.transforms.estimate_click_propensities import EstimateClickPropensitiesParams

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Counts(NamedTuple):
    """One row per pair and place, all arrays of the same length, sorted.

    `pair`: query and document, numbered from 0. `place`: the position, numbered from 0 among those that occur. `shown`,
    `clicked`: how often the pair was shown and clicked there.
    """

    pair: Integers
    place: Integers
    shown: Floats
    clicked: Floats

    def by_pair(self, values: Floats) -> Floats:
        """Sums of `values` (one per row) for each pair."""
        return np.bincount(self.pair, values).astype(np.float64)

    def by_place(self, values: Floats) -> Floats:
        """Sums of `values` (one per row) for each place."""
        return np.bincount(self.place, values).astype(np.float64)


class Estimate(NamedTuple):
    """P(click | place) for a relevant and another document, each of shape (places,), and how it was reached."""

    relevant: Floats
    irrelevant: Floats
    steps: int
    converged: bool


def smoothed(successes: Floats, trials: Floats, prior: tuple[float, float]) -> Floats:
    """Shares of successes, with `prior` (successes, failures) added: in (0, 1)."""
    won, lost = prior
    return (successes + won) / (trials + won + lost)


S = TypeVar("S")


def iterate(
    state: S,
    step: Callable[[S], S],
    watched: Callable[[S], Floats],
    params: "EstimateClickPropensitiesParams",
    advance: Callable[[int], None],
) -> tuple[S, int, bool]:
    """Repeat `step` until nothing of `watched` moves by more than the tolerance. Returns state, steps, converged."""
    for done in range(1, params.iterations + 1):
        before, state = watched(state), step(state)
        advance(1)
        if np.abs(watched(state) - before).max(initial=0) <= params.tolerance:
            return state, done, True
    return state, params.iterations, False
