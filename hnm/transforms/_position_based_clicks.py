"""Users of the position-based model: the further down, the fewer look; whoever looks judges the document alone.

P(click | d, k) = examination(k) * attractiveness(d). Chuklin, Markov and de Rijke, "Click Models for Web Search"
(2015), 3.2. Pure numpy; imported while a transform runs.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hnm.transforms.simulate_clicks import SimulateClicksParams

Floats = NDArray[np.float64]


def examination(places: int, eta: float) -> Floats:
    """P(examined | position) of the first positions: (1/position)^eta, in (0, 1]."""
    return np.power(1.0 / np.arange(1, places + 1), eta)


def attractiveness(relevance: Floats, noise: float) -> Floats:
    """P(click | examined): `noise` at relevance 0, 1 - `noise` at relevance 1, linear between them."""
    return noise + (1 - 2 * noise) * relevance


def clicks(seen: Floats, params: "SimulateClicksParams", random: np.random.Generator) -> NDArray[np.bool_]:
    """Clicks on documents of the relevances `seen`, (sessions, positions)."""
    return random.random(seen.shape) < examination(seen.shape[1], params.eta) * attractiveness(seen, params.noise)
