"""The sessions of one query: who is shown what, clicks it, and stays how long. Pure numpy; imported while a transform
runs. How people click is a file of its own for each kind of user."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hnm.transforms import _cascade_clicks, _mismatched_clicks, _position_based_clicks, _trust_biased_clicks

if TYPE_CHECKING:
    from hnm.transforms.simulate_clicks import SimulateClicksParams

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Clicks = Callable[[Floats, "SimulateClicksParams", np.random.Generator], NDArray[np.bool_]]
SECONDS_PER_DAY = 86_400
USERS: dict[str, Clicks] = {
    "pbm": _position_based_clicks.clicks,
    "cascade": _cascade_clicks.clicks,
    "trust_biased": _trust_biased_clicks.clicks,
    "mismatched": _mismatched_clicks.clicks,
}
"""From the relevances of what sessions show, (sessions, positions), to what is clicked, of the same shape."""


class Log(NamedTuple):
    """Simulated impressions of one query, all arrays of the same length, session by session in order of position.

    `session`: 0-based. `document`: index into the query's ranking. `position`: 1-based. `clicked`: boolean. `dwell`:
    seconds, also where nothing was clicked. `second`: when the session was, in seconds since the start of the log.
    """

    session: Integers
    document: Integers
    position: Integers
    clicked: NDArray[np.bool_]
    dwell: Floats
    second: Integers


def simulate(relevance: Floats, params: "SimulateClicksParams", random: np.random.Generator) -> Log:
    """Sessions of one query whose ranking has documents of these relevances (in [0, 1]), best rank first."""
    sessions = _session_count(params, random)
    document = _shown(sessions, len(relevance), params, random)
    position = np.broadcast_to(np.arange(1, document.shape[1] + 1), document.shape)
    seen = relevance[document]
    clicked = USERS[params.user](seen, params, random)
    shortest, longest = np.log(params.dwell_irrelevant_seconds), np.log(params.dwell_relevant_seconds)
    dwell = random.lognormal(shortest + (longest - shortest) * seen, params.dwell_sigma)
    second = random.integers(0, params.days * SECONDS_PER_DAY, size=(sessions, 1))
    session = np.arange(sessions)[:, None]
    columns: list[NDArray[Any]] = [session, document, position, clicked, dwell, second]
    return Log(*(np.broadcast_to(column, document.shape).ravel() for column in columns))


def _session_count(params: "SimulateClicksParams", random: np.random.Generator) -> int:
    mean = params.sessions_per_query
    match params.sessions:
        case "fixed":
            return round(mean)
        case "poisson":
            return int(random.poisson(mean))
        case "geometric":
            return int(random.geometric(1 / (1 + mean))) - 1


def _shown(sessions: int, ranked: int, params: "SimulateClicksParams", random: np.random.Generator) -> Integers:
    """Which documents each session shows, (sessions, min(ranked, shown_depth)), as 0-based ranks.

    Most sessions show the ranking's head. An explored one shows a Plackett-Luce sample with weights 1/rank, drawn by
    the Gumbel trick: the documents in descending order of log(weight) plus standard Gumbel noise.
    """
    shown = np.tile(np.arange(min(ranked, params.shown_depth)), (sessions, 1))
    explored = random.random(sessions) < params.explore
    pool = np.arange(1, min(ranked, max(params.explore_depth, params.shown_depth)) + 1)
    keys = random.gumbel(size=(int(explored.sum()), len(pool))) - np.log(pool)
    shown[explored] = np.argsort(-keys, axis=1)[:, : shown.shape[1]]
    return shown
