"""Transform: an impression log simulated from judgments by a position-based click model."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

QUERIES_PER_BATCH = 256

SHOWABLE = """
with shown as (
    select query_id, doc_id, min(rank) as best from ranking where retriever = $retriever group by all
), numbered as (
    select query_id, doc_id, row_number() over (partition by query_id order by best, doc_id) as position from shown
), judged as (
    select query_id, doc_id, max(grade) as grade from judgments group by all
)
select
    query_id,
    list(doc_id order by position) as doc_ids,
    list(greatest(0, coalesce(grade, 0)) order by position) as grades
from numbered
semi join (from queries where $splits is null or list_contains($splits, split)) using (query_id)
left join judged using (query_id, doc_id)
where position <= $depth
group by query_id
order by query_id
"""


class SimulateClicksParams(Params):
    """How people are taken to click.

    `splits`: whose queries are simulated; null for all. `ranker`: the retriever in `ranking` that plays the production
    ranker; may be left out when there is only one.
    `sessions_per_query`: the mean; `sessions`: how it varies among queries. Geometric is the long-tailed traffic of real logs.
    `shown_depth`: documents shown per session. `explore`: share of sessions whose list is drawn at random from the first
    `explore_depth` documents (Plackett-Luce with weights 1/rank), so that documents below the fold are seen at all.
    `eta`: strength of position bias. `noise`: probability to click an examined document that is not relevant, and not to
    click a perfect one. `max_grade`: top of the grade scale; null takes the largest grade in `judgments`. Give it where
    queries are added over time: a new largest grade would change the clicks of all.
    `dwell_relevant_seconds`, `dwell_irrelevant_seconds`: medians of the log-normal dwell time on a clicked document of the
    top grade and of grade 0; `dwell_sigma`: its standard deviation in log space.
    `first_day`, `days`: the span in which sessions happen.
    """

    splits: tuple[str, ...] | None = ("train", "dev")
    ranker: str | None = None
    sessions_per_query: float = Field(default=20, gt=0)
    sessions: Literal["fixed", "poisson", "geometric"] = "geometric"
    shown_depth: int = Field(default=10, ge=1)
    explore: float = Field(default=0.2, ge=0, le=1)
    explore_depth: int = Field(default=50, ge=1)
    eta: float = Field(default=1.0, ge=0)
    noise: float = Field(default=0.1, ge=0, le=0.5)
    max_grade: int | None = Field(default=None, ge=1)
    dwell_relevant_seconds: float = Field(default=60, gt=0)
    dwell_irrelevant_seconds: float = Field(default=15, gt=0)
    dwell_sigma: float = Field(default=0.8, ge=0)
    first_day: date = date(2025, 1, 1)
    days: int = Field(default=90, ge=1)
    seed: int = 0


class Log(NamedTuple):
    """The simulated sessions of one query, one value per impression, session by session in order of position.

    `document`: index into the query's ranking. `relevance`: grade / max_grade in [0, 1]. `dwell`: seconds, NaN without a
    click. `second`: seconds since the first day's midnight.
    """

    session: "np.ndarray"
    document: "np.ndarray"
    position: "np.ndarray"
    relevance: "np.ndarray"
    clicked: "np.ndarray"
    dwell: "np.ndarray"
    second: "np.ndarray"


@transform(params=SimulateClicksParams, inputs=("queries", "judgments", "ranking"), packages=("numpy",))
def simulate_clicks(inputs: Inputs, params: SimulateClicksParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """Impressions that a position-based click model yields over the lists of a "production" ranker.

    P(click | d, k) = examination(k) * attractiveness(d), with examination(k) = (1/k)^eta at position k counted from 1 and
    attractiveness(d) = noise + (1 - 2 noise) * grade(d) / max_grade: `noise` without relevance, 1 - `noise` at the top
    grade. Sources: Chuklin, Markov and de Rijke, "Click Models for Web Search" (2015), section 3.3, for the model;
    Joachims, Swaminathan and Schnabel, "Unbiased Learning-to-Rank with Biased Feedback" (WSDM 2017), for eta and the noise.

    Inputs: queries(query_id, split), judgments(query_id, doc_id, grade), ranking(query_id, doc_id, retriever, rank).
    Unjudged documents and negative grades count as grade 0. A query without a ranking gets no impression, one without
    judgments gets clicks by noise alone. Output: impressions(session_id, query_id, doc_id, position, clicked,
    dwell_seconds [null without a click], shown_at, ranker), ordered by query, session and position; `ranker` is
    `simulated:RETRIEVER` and session ids start with `sim-`. Each query has a random stream of its own, seeded by
    SHA-256 of the seed and its id, so its log does not depend on the other queries. Memory: one batch of queries.

    Raises StageError when `ranking` holds several retrievers and `ranker` names none, or one that it does not hold.
    """
    import itertools

    ranker = _choose_ranker(inputs, params.ranker)
    max_grade = params.max_grade or _largest_grade(inputs)
    depth = max(params.shown_depth, params.explore_depth) if params.explore else params.shown_depth
    values = {"retriever": ranker, "splits": list(params.splits) if params.splits else None, "depth": depth}
    totals: Counter[str] = Counter()
    yield _batch([], params, ranker)  # the schema, also when there is nothing to show
    with context.progress("simulating clicks", inputs.count("queries"), "queries") as advance:
        for rows in inputs.sql(SHOWABLE, values, QUERIES_PER_BATCH):
            ...
