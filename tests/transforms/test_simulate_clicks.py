"""Simulated clicks: the model's probabilities, independence of queries, and the edges of the input."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.transforms.simulate_clicks import SimulateClicksParams, simulate_clicks

COLUMNS = {
    "session_id": pa.string(),
    "query_id": pa.string(),
    "doc_id": pa.string(),
    "position": pa.int32(),
    "clicked": pa.bool_(),
    "dwell_seconds": pa.float32(),
    "shown_at": pa.timestamp("us"),
    "ranker": pa.string(),
}

Grades = dict[str, list[int | None]]  # the grades of a query's ranking, best rank first; None is unjudged


def tables(grades: Grades, splits: dict[str, str | None] | None = None) -> dict[str, pa.Table]:
    """A collection in which query `q` ranks `q-d0`, `q-d1`, … with the given grades."""
    ranked = [(query, f"{query}-d{i}", i + 1, grade) for query, of in grades.items() for i, grade in enumerate(of)]
    judged = [(query, doc, grade) for query, doc, _, grade in ranked if grade is not None]
    split = splits or {}
    return {
        "queries": pa.table(
            {
                "query_id": pa.array(list(grades), pa.string()),
                "text": pa.array([f"text of {query}" for query in grades], pa.string()),
                "split": pa.array([split.get(query, "train") for query in grades], pa.string()),
            }
        ),
        "judgments": pa.table(
            {
                "query_id": pa.array([row[0] for row in judged], pa.string()),
                "doc_id": pa.array([row[1] for row in judged], pa.string()),
                "grade": pa.array([row[2] for row in judged], pa.int32()),
            }
        ),
        "ranking": pa.table(
            {
                "query_id": pa.array([row[0] for row in ranked], pa.string()),
                "doc_id": pa.array([row[1] for row in ranked], pa.string()),
                "retriever": pa.array(["bm25"] * len(ranked), pa.string()),
                "rank": pa.array([row[2] for row in ranked], pa.int32()),
                "score": pa.array([1.0 / row[2] for row in ranked], pa.float32()),
            }
        ),
    }


def run(folder: Path, data: dict[str, pa.Table], **params: object) -> pl.DataFrame:
    context = Context(stage="impressions", root=folder, workdir=folder / "work")
    batches = list(simulate_clicks(Inputs.of(**data), SimulateClicksParams(**params), context))
    assert batches
    assert all(dict(zip(batch.schema.names, batch.schema.types, strict=True)) == COLUMNS for batch in batches)
    frame = pl.from_arrow(pa.Table.from_batches(batches))
    assert isinstance(frame, pl.DataFrame)
    return frame


def rates(frame: pl.DataFrame) -> dict[tuple[str, int], float]:
    """Click rate by document and position."""
    grouped = frame.group_by("doc_id", "position").agg(pl.col("clicked").mean())
    return {(doc, position): rate for doc, position, rate in grouped.iter_rows()}


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0, 2.0])
def test_click_rates_match_the_formula(tmp_path: Path, eta: float) -> None:
    sessions = 20_000
    grades: list[int | None] = [1, 0, None, 1, None, 0, 0, 1]
    frame = run(
        tmp_path, tables({"q": grades}), sessions_per_query=sessions, sessions="fixed", explore=0, eta=eta, noise=0.15
    )
    found = rates(frame)
    for i, grade in enumerate(grades):
        expected = (1 / (i + 1)) ** eta * (0.85 if grade else 0.15)
        tolerance = 4.5 * np.sqrt(expected * (1 - expected) / sessions)
        assert found[f"q-d{i}", i + 1] == pytest.approx(expected, abs=tolerance)


def test_readers_from_the_top_stop_when_satisfied_or_tired(tmp_path: Path) -> None:
    sessions, stay = 20_000, 0.8
    grades: list[int | None] = [0, 1, None, 1]
    frame = run(
        tmp_path,
        tables({"q": grades}),
        user="cascade",
        sessions_per_query=sessions,
        sessions="fixed",
        explore=0,
        noise=0.2,
        perseverance=stay,
    )
    found, looked = rates(frame), 1.0
    for i, grade in enumerate(grades):
        attracted = satisfied = 0.8 if grade else 0.2
        tolerance = 4.5 * np.sqrt(looked * attracted * (1 - looked * attracted) / sessions)
        assert found[f"q-d{i}", i + 1] == pytest.approx(looked * attracted, abs=tolerance)
        looked *= (1 - attracted * satisfied) * stay
    certain = {"user": "cascade", "sessions_per_query": 200, "noise": 0, "perseverance": 1, "explore": 0}
    clicked = run(tmp_path, tables({"q": grades}), **certain).filter(pl.col("clicked"))
    assert clicked["doc_id"].unique().to_list() == ["q-d1"]  # the first right answer satisfies everybody


def test_who_trusts_the_ranking_clicks_what_stands_high(tmp_path: Path) -> None:
    sessions, eta, trust = 20_000, 0.5, 0.6
    grades: list[int | None] = [0, 1, None, 1]
    params = {"sessions_per_query": sessions, "sessions": "fixed", "explore": 0, "noise": 0.1, "eta": eta}
    found = rates(run(tmp_path, tables({"q": grades}), user="trust_biased", trust=trust, **params))
    for i, grade in enumerate(grades):
        wanted = 0.9 if grade else 0.1
        expected = (1 / (i + 1)) ** eta * (wanted + (1 - wanted) * trust / (i + 1))
        tolerance = 4.5 * np.sqrt(expected * (1 - expected) / sessions)
        assert found[f"q-d{i}", i + 1] == pytest.approx(expected, abs=tolerance)
    without = run(tmp_path, tables({"q": grades}), user="trust_biased", trust=0, **params)
    assert without.equals(run(tmp_path, tables({"q": grades}), user="pbm", **params))


def test_mismatched_users_are_a_third_of_each_kind(tmp_path: Path) -> None:
    data = tables({"q": [0, 1, None, 1, 0]})
    params = {"sessions_per_query": 30_000, "sessions": "fixed", "explore": 0}
    found = {user: rates(run(tmp_path, data, user=user, **params)) for user in ("pbm", "cascade", "trust_biased")}
    blended = rates(run(tmp_path, data, user="mismatched", **params))
    for place, rate in blended.items():
        assert rate == pytest.approx(sum(rates[place] for rates in found.values()) / 3, abs=0.02)


def test_attractiveness_grows_with_the_grade(tmp_path: Path) -> None:
    data = tables({"q": [3, 2, 1, 0, -2]})
    frame = run(tmp_path, data, sessions_per_query=20_000, sessions="fixed", explore=0, eta=0, noise=0.1)
    found = [rates(frame)[f"q-d{i}", i + 1] for i in range(5)]
    assert found == pytest.approx([0.9, 0.1 + 0.8 * 2 / 3, 0.1 + 0.8 / 3, 0.1, 0.1], abs=0.015)


def test_grades_above_the_declared_scale_count_as_its_top(tmp_path: Path) -> None:
    params = {"sessions_per_query": 5_000, "sessions": "fixed", "eta": 0, "explore": 0}
    assert run(tmp_path, tables({"q": [5]}), max_grade=2, **params).equals(
        run(tmp_path, tables({"q": [2]}), max_grade=2, **params)
    )


def test_explored_sessions_show_what_is_below_the_fold(tmp_path: Path) -> None:
    data = tables({"q": [0] * 30})
    shown = {"sessions_per_query": 4_000, "sessions": "fixed", "shown_depth": 5, "explore_depth": 20}
    below = pl.col("doc_id").is_in([f"q-d{i}" for i in range(5)]).not_()
    assert run(tmp_path, data, explore=0, **shown).filter(below).is_empty()

    frame = run(tmp_path, data, explore=0.25, **shown)
    explored = frame.filter(below)["session_id"].n_unique() / 4_000
    assert 0.2 < explored < 0.26  # a few explored lists happen to hold the head alone
    assert set(frame["doc_id"]) == {f"q-d{i}" for i in range(20)}
    assert frame.group_by("session_id").agg(pl.col("doc_id").n_unique())["doc_id"].unique().to_list() == [5]
    first = frame.filter(pl.col("position") == 1)["doc_id"].value_counts(normalize=True)
    share = dict(first.iter_rows())
    harmonic = sum(1 / rank for rank in range(1, 21))
    assert share["q-d1"] == pytest.approx(0.25 * (1 / 2) / harmonic, abs=0.02)


@pytest.mark.parametrize("kind", ["fixed", "poisson", "geometric"])
def test_number_of_sessions(tmp_path: Path, kind: str) -> None:
    queries = 2_000
    frame = run(tmp_path, tables({f"q{i}": [1] for i in range(queries)}), sessions_per_query=6, sessions=kind)
    counts = frame.group_by("query_id").len()["len"].to_numpy()
    assert counts.sum() / queries == pytest.approx(6, rel=0.1)
    variance = {"fixed": 0, "poisson": 6, "geometric": 42}[kind]
    counts = np.concatenate([counts, np.zeros(queries - len(counts))])
    assert counts.var() == pytest.approx(variance, rel=0.2)


def test_dwell_times(tmp_path: Path) -> None:
    data = tables({"q": [1, 0]})
    frame = run(tmp_path, data, sessions_per_query=20_000, sessions="fixed", explore=0, eta=0, noise=0.3)
    assert frame.filter(~pl.col("clicked"))["dwell_seconds"].is_null().all()
    clicked = frame.filter(pl.col("clicked"))
    assert (clicked["dwell_seconds"] > 0).all()
    medians = dict(clicked.group_by("doc_id").agg(pl.col("dwell_seconds").median()).iter_rows())
    assert medians["q-d0"] == pytest.approx(60, rel=0.05)
    assert medians["q-d1"] == pytest.approx(15, rel=0.05)


def test_sessions_are_declared_as_simulated_and_in_the_span(tmp_path: Path) -> None:
    frame = run(tmp_path, tables({"q": [1, 0, 0], "r": [0, 1]}), first_day="2024-02-28", days=3)
    assert frame["ranker"].unique().to_list() == ["simulated:bm25"]
    assert frame["session_id"].str.contains(r"^sim-[0-9a-f]{16}$").all()
    per_session = frame.group_by("session_id").agg(pl.col("query_id").n_unique(), pl.col("shown_at").n_unique())
    assert per_session["query_id"].max() == per_session["shown_at"].max() == 1
    first, last = frame["shown_at"].min(), frame["shown_at"].max()
    assert str(first) >= "2024-02-28" and str(last) < "2024-03-02"
    assert frame.sort("query_id", maintain_order=True).equals(frame)
    assert frame["position"].min() == 1


def shuffled(data: dict[str, pa.Table], seed: int) -> dict[str, pa.Table]:
    random = np.random.default_rng(seed)
    return {name: table.take(random.permutation(table.num_rows)) for name, table in data.items()}


@settings(max_examples=20, deadline=None)
@given(
    grades=st.dictionaries(
        st.text("aü—\u2603 '\"", min_size=1, max_size=3),
        st.lists(st.sampled_from([None, 0, 1, 2]), max_size=14),
        max_size=6,
    ),
    seed=st.integers(0, 99),
    user=st.sampled_from(["pbm", "cascade", "trust_biased", "mismatched"]),
)
def test_a_log_depends_on_its_query_alone(
    tmp_path_factory: pytest.TempPathFactory, grades: Grades, seed: int, user: str
) -> None:
    folder = tmp_path_factory.mktemp("clicks")
    params = {"sessions_per_query": 3, "max_grade": 2, "seed": seed, "user": user}
    together = run(folder, tables(grades), **params)
    assert run(folder, shuffled(tables(grades), seed), **params).equals(together)
    for query, of in grades.items():
        alone = run(folder, tables({query: of}), **params)
        assert alone.equals(together.filter(pl.col("query_id") == query))


def test_the_seed_matters(tmp_path: Path) -> None:
    data = tables({"q": [1, 0, 0, 0]})
    assert run(tmp_path, data, seed=1).equals(run(tmp_path, data, seed=1))
    assert not run(tmp_path, data, seed=1).equals(run(tmp_path, data, seed=2))


def test_splits_and_what_has_no_ranking_or_judgment(tmp_path: Path) -> None:
    grades: Grades = {"train": [1], "dev": [1], "test": [1], "unsplit": [1], "unranked": [], "unjudged": [None, None]}
    data = tables(grades, {"train": "train", "dev": "dev", "test": "test", "unsplit": None})
    fixed = {"sessions_per_query": 4, "sessions": "fixed"}
    assert set(run(tmp_path, data, **fixed)["query_id"]) == {"train", "dev", "unjudged"}
    assert set(run(tmp_path, data, splits=["test"], **fixed)["query_id"]) == {"test"}
    assert set(run(tmp_path, data, splits=None, **fixed)["query_id"]) == {"train", "dev", "test", "unsplit", "unjudged"}
    assert run(tmp_path, data, splits=[], **fixed).is_empty()


@pytest.mark.parametrize("empty", [{"queries"}, {"judgments"}, {"ranking"}, {"queries", "judgments", "ranking"}])
def test_empty_inputs(tmp_path: Path, empty: set[str]) -> None:
    data = {name: table.slice(0, 0) if name in empty else table for name, table in tables({"q": [1, 0]}).items()}
    frame = run(tmp_path, data, sessions_per_query=4, sessions="fixed")
    assert frame.height == (8 if empty == {"judgments"} else 0)


def test_duplicates_and_ties_in_the_ranking(tmp_path: Path) -> None:
    data = tables({"q": [1, 0]})
    ranking = data["ranking"]
    data["ranking"] = pa.concat_tables([ranking, ranking]).set_column(3, "rank", pa.array([7] * 4, pa.int32()))
    frame = run(tmp_path, data, sessions_per_query=5, sessions="fixed", explore=0)
    assert frame.select("doc_id", "position").unique().sort("position").rows() == [("q-d0", 1), ("q-d1", 2)]
    assert frame.height == 10


def test_several_retrievers(tmp_path: Path) -> None:
    data = tables({"q": [1, 0]})
    other = data["ranking"].set_column(2, "retriever", pa.array(["minilm"] * 2))
    data["ranking"] = pa.concat_tables([data["ranking"], other])
    with pytest.raises(StageError, match="several retrievers: bm25, minilm"):
        run(tmp_path, data)
    with pytest.raises(StageError, match="no retriever 'bm52'"):
        run(tmp_path, data, ranker="bm52")
    assert set(run(tmp_path, data, ranker="minilm")["ranker"]) == {"simulated:minilm"}


def test_facts_are_recorded(tmp_path: Path) -> None:
    context = Context(stage="impressions", root=tmp_path, workdir=tmp_path / "work")
    params = SimulateClicksParams(sessions_per_query=50, sessions="fixed")
    batches: Iterable[pa.RecordBatch] = simulate_clicks(Inputs.of(**tables({"q": [1, 0, 0]})), params, context)
    frame = pl.from_arrow(pa.Table.from_batches(list(batches)))
    assert isinstance(frame, pl.DataFrame)
    relevant = frame.filter(pl.col("clicked") & (pl.col("doc_id") == "q-d0")).height
    assert context.facts == {
        "queries": 1,
        "sessions": 50,
        "impressions": 150,
        "clicks": frame["clicked"].sum(),
        "clicks_on_relevant": relevant,
        "ranker": "bm25",
        "max_grade": 1,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"noise": 0.6},
        {"eta": -1},
        {"sessions_per_query": float("inf")},
        {"shown_depth": 0},
        {"explore": 1.5},
        {"sessions": "zipf"},
        {"depth": 3},
        {"user": "robot"},
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SimulateClicksParams.model_validate(wrong)
