"""Users who read from the top: they click what attracts them, stop when satisfied, and may give up at any place.

The dynamic Bayesian network of Chapelle and Zhang, "A Dynamic Bayesian Network Click Model for Web Search Ranking" (WWW
2009): the first document is looked at; a look leads to a click with P = attractiveness; a click satisfies with the same
probability; whoever is not satisfied goes on to the next one with P = `perseverance`. Pure numpy.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hnm.transforms._position_based_clicks import Floats, attractiveness

if TYPE_CHECKING:
    from hnm.transforms.simulate_clicks import SimulateClicksParams


def clicks(seen: Floats, params: "SimulateClicksParams", random: np.random.Generator) -> NDArray[np.bool_]:
    """Clicks on documents of the relevances `seen`, (sessions, positions)."""
    attracts, satisfies = (random.random(seen.shape) < attractiveness(seen, params.noise) for _ in range(2))
    stops = (attracts & satisfies) | (random.random(seen.shape) >= params.perseverance)
    stopped_before: NDArray[np.bool_] = np.cumsum(stops, axis=1) > stops
    return np.logical_and(attracts, ~stopped_before)
