"""Users who trust the ranking: the higher a document stands, the more often it is clicked without being relevant.

Agarwal, Wang, Li, Bendersky and Najork, "Addressing Trust Bias for Unbiased Learning-to-Rank" (WWW 2019): P(click | d,
k) = examination(k) * P(taken for relevant | d, k). Who looks clicks for the document's sake, as in the position-based
model; of those who would not, a share of `trust` / k clicks for the place's sake. Pure numpy.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hnm.transforms._position_based_clicks import Floats, attractiveness, examination

if TYPE_CHECKING:
    from hnm.transforms.simulate_clicks import SimulateClicksParams


def clicks(seen: Floats, params: "SimulateClicksParams", random: np.random.Generator) -> NDArray[np.bool_]:
    """Clicks on documents of the relevances `seen`, (sessions, positions)."""
    places = seen.shape[1]
    wanted = attractiveness(seen, params.noise)
    taken_for_relevant = wanted + (1 - wanted) * params.trust / np.arange(1, places + 1)
    return random.random(seen.shape) < examination(places, params.eta) * taken_for_relevant
