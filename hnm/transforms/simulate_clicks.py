"""Transform: an impression log simulated from judgments by a model of how people click."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from hnm.context import Context
from hnm.errors import StageError, nearest
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa

QUERIES_PER_BATCH = 256

SIMULATED = "from queries where $splits is null or list_contains($splits, split)"
SHOWABLE = f"""
with shown as (
    select query_id, doc_id, min(rank) as best from ranking where retriever = $retriever group by all
), numbered as (
    select query_id, doc_id, row_number() over (partition by query_id order by best, doc_id) as place from shown
), judged as (
    select query_id, doc_id, max(grade) as grade from judgments group by all
)
select
    query_id,
    list(doc_id order by place) as doc_ids,
    list(greatest(0, coalesce(grade, 0)) order by place) as grades
from numbered
semi join ({SIMULATED}) using (query_id)
left join judged using (query_id, doc_id)
where place <= $depth
group by query_id
order by query_id
"""


class SimulateClicksParams(Params):
    """How people are taken to click.

    `user`: what kind of people they are. `pbm` look at each position with a probability of its own; `cascade` read from
    the top until they are satisfied or give up; `trust_biased` are as `pbm`, but also click what stands high because it
    stands high; `mismatched` are any of these, session by session, so that no model is right.
    `splits`: whose queries are simulated; null for all.
    `ranker`: the retriever in `ranking` that plays the production ranker; may be left out when there is only one.
    `sessions_per_query`: their mean number. `sessions`: how it varies; geometric is the long-tailed traffic of logs.
    `shown_depth`: documents shown per session.
    `explore`: share of sessions whose list is drawn at random from the first `explore_depth` documents (Plackett-Luce
    with weights 1/rank), so that documents below the fold are seen at all.
    `eta`: strength of the position bias (not of `cascade`).
    `perseverance`: probability that a `cascade` user who is not satisfied reads on.
    `trust`: share of `trust_biased` users who click what they look at first, though they would not for its own sake.
    `noise`: probability to click an examined document of grade 0, and not to click one of the top grade.
    `max_grade`: top of the grade scale; null takes the largest grade in `judgments`. Give it where queries are added
    over time: a new largest grade would change the clicks of all.
    `dwell_relevant_seconds`, `dwell_irrelevant_seconds`: median dwell time on a clicked document of the top grade and
    of grade 0. `dwell_sigma`: its standard deviation in log space; the distribution is log-normal.
    `first_day`, `days`: the span in which sessions happen.
    """

    user: Literal["pbm", "cascade", "trust_biased", "mismatched"] = "pbm"
    splits: tuple[str, ...] | None = ("train", "dev")
    ranker: str | None = None
    sessions_per_query: float = Field(default=20, gt=0, allow_inf_nan=False)
    sessions: Literal["fixed", "poisson", "geometric"] = "geometric"
    shown_depth: int = Field(default=10, ge=1)
    explore: float = Field(default=0.2, ge=0, le=1)
    explore_depth: int = Field(default=30, ge=1)
    eta: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    perseverance: float = Field(default=0.9, ge=0, le=1)
    trust: float = Field(default=0.4, ge=0, le=1)
    noise: float = Field(default=0.1, ge=0, le=0.5)
    max_grade: int | None = Field(default=None, ge=1)
    dwell_relevant_seconds: float = Field(default=60, gt=0, allow_inf_nan=False)
    dwell_irrelevant_seconds: float = Field(default=15, gt=0, allow_inf_nan=False)
    dwell_sigma: float = Field(default=0.8, ge=0, allow_inf_nan=False)
    first_day: date = date(2025, 1, 1)
    days: int = Field(default=90, ge=1)
    seed: int = 0


@transform(params=SimulateClicksParams, inputs=("queries", "judgments", "ranking"), packages=("numpy",))
def simulate_clicks(inputs: Inputs, params: SimulateClicksParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """Impressions that a click model yields over the lists of a "production" ranker.

    Attractiveness is the probability that who looks at a document clicks it: noise + (1 - 2 noise) * grade / max_grade,
    which is `noise` without relevance and 1 - `noise` at the top grade (Joachims, Swaminathan and Schnabel, "Unbiased
    Learning-to-Rank with Biased Feedback", WSDM 2017). Who looks, at position k counted from 1, depends on the `user`:
    for `pbm`, P(click) = (1/k)^eta * attractiveness. Formulas and sources of all of them: `_position_based_clicks`,
    `_cascade_clicks`, `_trust_biased_clicks`, `_mismatched_clicks`.

    Inputs: queries(query_id, split), judgments(query_id, doc_id, grade), ranking(query_id, doc_id, retriever, rank).
    Unjudged documents and negative grades count as grade 0. A query without a ranking gets no impression, one without
    judgments gets clicks by noise alone. Output: impressions(session_id, query_id, doc_id, position, clicked,
    dwell_seconds [null without a click], shown_at, ranker), ordered by query, session and position; `ranker` is
    `simulated:RETRIEVER` and session ids start with `sim-`. Each query has a random stream of its own, seeded by
    SHA-256 of the seed and its id, so its log does not depend on the other queries. Memory: one batch of queries.

    Raises StageError when `ranking` holds several retrievers and `ranker` names none, or one that it does not hold.
    """
    import pyarrow as pa

    ranker = _choose_ranker(inputs, params.ranker)
    max_grade = params.max_grade or _largest_grade(inputs)
    splits = {"splits": list(params.splits) if params.splits is not None else None}
    depth = max(params.shown_depth, params.explore_depth)
    total = inputs.table(f"select count(*) {SIMULATED}", splits).column(0)[0].as_py()
    counted: Counter[str] = Counter()
    schema = _schema()
    yield pa.RecordBatch.from_pylist([], schema)
    with context.progress("simulating clicks", total, "queries") as advance:
        values = {**splits, "retriever": ranker, "depth": depth}
        for rows in inputs.sql(SHOWABLE, values, QUERIES_PER_BATCH):
            queries = [_impressions(row, max_grade, params, ranker, counted) for row in rows.to_pylist()]
            yield from pa.Table.from_batches(queries, schema).combine_chunks().to_batches()
            advance(len(queries))
    context.record(**counted, ranker=ranker, max_grade=max_grade)


def _choose_ranker(inputs: Inputs, wanted: str | None) -> str | None:
    """The retriever to play the production ranker; None when `ranking` is empty."""
    found = inputs.table("select distinct retriever from ranking order by all").column(0).to_pylist()
    if wanted in found or not found:
        return wanted
    if wanted is None and len(found) == 1:
        return str(found[0])
    named = ", ".join(map(str, found))
    if wanted is None:
        raise StageError(f"`ranking` holds several retrievers: {named}", hint="name one of them in `ranker`")
    raise StageError(f"`ranking` has no retriever {wanted!r}", why=f"it has {named}", hint=nearest(wanted, found))


def _largest_grade(inputs: Inputs) -> int:
    largest = inputs.table("select max(grade) from judgments").column(0)[0].as_py()
    return max(1, largest or 1)


def _schema() -> "pa.Schema":
    import pyarrow as pa

    return pa.schema(
        {
            "session_id": pa.string(),
            "query_id": pa.string(),
            "doc_id": pa.string(),
            "position": pa.int32(),
            "clicked": pa.bool_(),
            "dwell_seconds": pa.float32(),
            "shown_at": pa.timestamp("us"),
            "ranker": pa.string(),
        }
    )


def _impressions(
    row: Mapping[str, Any], max_grade: int, params: SimulateClicksParams, ranker: str | None, counted: Counter[str]
) -> "pa.RecordBatch":
    """The impressions of one query, drawn from the query's own random stream; `counted` sums up what happened."""
    import numpy as np
    import pyarrow as pa

    from hnm.transforms._simulated_clicks import simulate

    query_id = row["query_id"]
    relevance = np.minimum(np.array(row["grades"], dtype=np.float64) / max_grade, 1)
    log = simulate(relevance, params, np.random.default_rng(int.from_bytes(_digest(params.seed, query_id))))
    shown, sessions = len(log.clicked), len(np.unique(log.session))
    session_ids = [f"sim-{_digest(params.seed, query_id, session).hex()[:16]}" for session in range(sessions)]
    counted.update(
        queries=1,
        sessions=sessions,
        impressions=shown,
        clicks=int(log.clicked.sum()),
        clicks_on_relevant=int((log.clicked & (relevance[log.document] > 0)).sum()),
    )
    columns = [
        pa.array(session_ids, pa.string()).take(pa.array(log.session)),
        pa.repeat(query_id, shown),
        pa.array(row["doc_ids"], pa.string()).take(pa.array(log.document)),
        pa.array(log.position, pa.int32()),
        pa.array(log.clicked),
        pa.array(log.dwell, pa.float32(), mask=~log.clicked),
        pa.array(np.datetime64(params.first_day, "us") + log.second.astype("timedelta64[s]")),
        pa.repeat(f"simulated:{ranker}", shown),
    ]
    return pa.record_batch(columns, schema=_schema())


def _digest(*parts: str | int) -> bytes:
    return hashlib.sha256(json.dumps(parts).encode()).digest()
