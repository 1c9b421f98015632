"""Users that no click model describes: each session is one of the other kinds, drawn with equal chances. Pure numpy."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hnm.transforms import _cascade_clicks, _position_based_clicks, _trust_biased_clicks
from hnm.transforms._position_based_clicks import Floats

if TYPE_CHECKING:
    from hnm.transforms.simulate_clicks import SimulateClicksParams

KINDS = (_position_based_clicks.clicks, _cascade_clicks.clicks, _trust_biased_clicks.clicks)


def clicks(seen: Floats, params: "SimulateClicksParams", random: np.random.Generator) -> NDArray[np.bool_]:
    """Clicks on documents of the relevances `seen`, (sessions, positions)."""
    kind = random.integers(len(KINDS), size=(len(seen), 1))
    return np.choose(kind, [clicks(seen, params, random) for clicks in KINDS])
