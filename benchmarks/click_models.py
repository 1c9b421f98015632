"""How well each click model finds the relevant documents in simulated logs, whose truth is known; prints a table.

    python benchmarks/click_models.py [--queries 300] [--sessions 20] [--seed 0]

For each kind of user of `simulate_clicks`: precision and recall of the accepted positives at the default thresholds,
and the average precision of the order by lower bound, which no threshold changes. Relevant documents that no session
shows cannot be found, and are left out. `every click` takes whatever was clicked once; `oracle` takes all that is
relevant of what two sessions clicked, as a model without error would.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from hnm.context import Context
from hnm.inputs import Inputs
from hnm.project.templating import Rendering, Templates
from hnm.transforms.estimate_click_propensities import EstimateClickPropensitiesParams, estimate_click_propensities
from hnm.transforms.simulate_clicks import SimulateClicksParams, simulate_clicks

CONTEXT = Context("benchmark", Path(), Path())
SQL = Path(__file__).parents[1] / "sql"
USERS = ("pbm", "cascade", "trust_biased", "mismatched")
ESTIMATED = {"click_examination": "estimated"}
MODELS: dict[str, dict[str, Any]] = {
    "naive": {},
    "position_bias_corrected": {},
    "position_bias_corrected, estimated": ESTIMATED,
    "ipw": {},
    "ipw, estimated": ESTIMATED,
    "pbm_em": {},
    "trust_bias": {},
    "dbn": {},
    "skip_above": {},
}
"""Vars of each row of the table, beside `click_model`, which is its name up to the comma."""

Score = tuple[float, float, float]
"""Precision, recall and average precision."""


def collection(queries: int, seed: int, candidates: int = 30, top: int = 3) -> dict[str, pa.Table]:
    """Queries with one to `top` relevant documents among `candidates`, ranked by relevance plus noise."""
    random = np.random.default_rng(seed)
    relevant = random.integers(1, top + 1, size=queries)
    grades = np.arange(candidates) < relevant[:, None]
    ranks = np.argsort(np.argsort(-(1.5 * grades + random.normal(size=grades.shape)), axis=1), axis=1) + 1
    query = np.repeat([f"q{i}" for i in range(queries)], candidates)
    doc = np.tile([f"d{i}" for i in range(candidates)], queries)
    pairs = {"query_id": query, "doc_id": doc}
    names = [f"q{i}" for i in range(queries)]
    return {
        "queries": pa.table({"query_id": names, "text": names, "split": ["train"] * queries}),
        "judgments": pa.table({**pairs, "grade": grades.ravel().astype(np.int32)}),
        "ranking": pa.table({**pairs, "retriever": ["ranker"] * len(query), "rank": ranks.ravel().astype(np.int32)}),
    }


def positives(log: pa.Table, queries: pa.Table, variables: dict[str, Any]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The stages `click_evidence` and `positives` over a log."""
    connection, templates = duckdb.connect(), Templates()
    connection.register("impressions", log)
    connection.register("queries", queries)
    variables = {"positives_from": "clicks", **variables}

    def build(name: str) -> Rendering:
        path, rendering = SQL / f"{name}.sql", Rendering(name, variables)
        connection.execute(f"create table {name} as {templates.render_sql(path.read_text(), path, rendering)}")
        return rendering

    build("click_counts")
    model = "trust_bias" if variables["click_model"] == "trust_bias" else "position_bias"
    params = EstimateClickPropensitiesParams(model=model)
    counts = Inputs.of(counts=connection.table("click_counts").to_arrow_table())
    propensities = pa.Table.from_batches(estimate_click_propensities(counts, params, CONTEXT))
    connection.register("click_propensities", propensities)
    build("click_evidence")
    build("positives")
    return connection.table("click_evidence").pl(), connection.table("positives").pl()


def score(evidence: pl.DataFrame, accepted: pl.DataFrame, truth: pl.DataFrame) -> Score:
    """Of the accepted pairs and of the order by lower bound (ties by ids), against the pairs in `truth`."""
    keys = ["query_id", "doc_id"]
    right = accepted.join(truth, on=keys, how="semi").height
    ranked = evidence.join(truth.with_columns(relevant=1), on=keys, how="left").sort(
        ["lower_bound", "attractiveness", *keys], descending=[True, True, False, False]
    )
    hits = ranked["relevant"].fill_null(0).to_numpy()
    average = float((np.cumsum(hits) / np.arange(1, len(hits) + 1) * hits).sum() / max(1, hits.sum()))
    return right / max(1, accepted.height), right / max(1, truth.height), average


def scores(user: str, queries: int, sessions: float, seed: int) -> Iterator[tuple[str, Score]]:
    """Name and scores of each row of the table, for one kind of user."""
    data = collection(queries, seed)
    params = SimulateClicksParams(user=user, sessions_per_query=sessions, seed=seed)
    log = pa.Table.from_batches(simulate_clicks(Inputs.of(**data), params, CONTEXT))
    shown = Inputs.of(log=log, **data).table(
        "select distinct query_id, doc_id from judgments semi join log using (query_id, doc_id) where grade > 0"
    )
    truth = pl.DataFrame(shown)
    for name, more in MODELS.items():
        evidence, accepted = positives(log, data["queries"], {"click_model": name.split(",")[0], **more})
        if name == "naive":
            clicked = evidence.filter(pl.col("clicks") > 0)
            yield "every click", score(evidence.with_columns(lower_bound="clicks"), clicked, truth)
            right = clicked.filter(pl.col("clicked_sessions") >= 2).join(truth, on=["query_id", "doc_id"], how="semi")
            yield "oracle", (1.0, right.height / truth.height, 1.0)
        yield name, score(evidence, accepted, truth)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--sessions", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows: dict[str, list[str]] = {}
    for user in USERS:
        for name, found in scores(user, arguments.queries, arguments.sessions, arguments.seed):
            rows.setdefault(name, []).append(" / ".join(f"{value:.2f}" for value in found))
    print("Precision / recall / average precision\n")
    print("| model | " + " | ".join(f"`{user}`" for user in USERS) + " |")
    print("|---" * (len(USERS) + 1) + "|")
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
