"""Reranked lists with the ranks of retrievers mixed in."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.transforms.interpolate import InterpolateParams, interpolate

LIST = pa.schema({"query_id": pa.string(), "doc_id": pa.string(), "rank": pa.int32()})
TEXT_COLUMNS = ("retriever", "model_version", "dataset_version")
RERANKED = pa.schema([*LIST, ("score", pa.float32()), *((name, pa.string()) for name in TEXT_COLUMNS)])
TEXTS = pa.table({"kind": pa.array([], pa.string())})
WEIGHTS = {"bm25": 0.1, "minilm": 0.25}
Lists = dict[str, list[str]]


def ranked(lists: Lists) -> pa.Table:
    rows = [
        {"query_id": query, "doc_id": doc, "rank": rank}
        for query, docs in lists.items()
        for rank, doc in enumerate(docs, 1)
    ]
    return pa.Table.from_pylist(rows, LIST)


def reranked(scores: dict[str, dict[str, float]]) -> pa.Table:
    rows = [
        {"query_id": query, "doc_id": doc, "rank": rank, "score": score, "retriever": "hard", "model_version": "w"}
        for query, of in scores.items()
        for rank, (doc, score) in enumerate(sorted(of.items(), key=lambda pair: -pair[1]), 1)
    ]
    return pa.Table.from_pylist(rows, RERANKED)


def run(weights: dict[str, float], **tables: pa.Table) -> list[dict[str, Any]]:
    context = Context("mixed", Path(), Path())
    batches = interpolate(Inputs.of(**tables), InterpolateParams(name="mixed", weights=weights), context)
    return pa.Table.from_batches(batches).to_pylist()


def order(rows: list[dict[str, Any]], query: str = "q") -> list[str]:
    return [row["doc_id"] for row in rows if row["query_id"] == query]


@pytest.fixture
def three() -> dict[str, pa.Table]:
    """One list, its scores -1, 0 and 1 before scaling, and two retrievers that see it otherwise."""
    return {
        "reranked": reranked({"q": {"a": 1, "b": 0, "c": -1}}),
        "texts": TEXTS,
        "bm25": ranked({"q": ["c", "b", "a"]}),
        "minilm": ranked({"q": ["x", "b"], "other": ["a"]}),
    }


def test_by_hand(three: dict[str, pa.Table]) -> None:
    found = {row["doc_id"]: row["score"] for row in run(WEIGHTS, **three)}
    unit = np.sqrt(3 / 2)  # one over the standard deviation of -1, 0, 1
    assert found == pytest.approx(
        {
            "a": unit - 0.1 * np.log(3) - 0.25 * np.log(3),  # minilm's list has two places: a stands behind them
            "b": -0.1 * np.log(2) - 0.25 * np.log(2),
            "c": -unit - 0.25 * np.log(3),
        },
        rel=1e-6,
    )


def test_rows_are_those_of_the_reranker_in_another_order(three: dict[str, pa.Table]) -> None:
    rows = run({"bm25": 9, "minilm": 0}, **three)
    assert [(row["doc_id"], row["rank"]) for row in rows] == [("c", 1), ("b", 2), ("a", 3)]
    assert {(row["retriever"], row["model_version"], row["dataset_version"]) for row in rows} == {("mixed", "w", None)}


def test_without_weight_the_rerankers_order_stays(three: dict[str, pa.Table]) -> None:
    assert order(run({"bm25": 0, "minilm": 0}, **three)) == ["a", "b", "c"]


def test_equal_scores_leave_it_to_the_retrievers_and_else_stay(three: dict[str, pa.Table]) -> None:
    # The mean of three times 0.1 is not 0.1 in floating point.
    three["reranked"] = reranked({"q": {"a": 0.1, "b": 0.1, "c": 0.1}, "unknown": {"b": 0.1, "a": 0.1}})
    rows = run({"bm25": 1, "minilm": 0}, **three)
    assert order(rows) == ["c", "b", "a"]
    assert order(rows, "unknown") == ["b", "a"]
    assert {row["score"] for row in rows if row["query_id"] == "unknown"} == {0.0}


def test_lists_of_one_document_and_no_lists(three: dict[str, pa.Table]) -> None:
    three["reranked"] = reranked({"q": {"a": 3}})
    assert [row["score"] for row in run({"bm25": 0, "minilm": 0}, **three)] == [0]
    three["reranked"] = reranked({})
    assert run(WEIGHTS, **three) == []


def test_a_document_that_is_listed_twice_counts_where_it_stands_higher(three: dict[str, pa.Table]) -> None:
    three["bm25"] = ranked({"q": ["c", "b", "a", "c"]})
    assert order(run({"bm25": 9, "minilm": 0}, **three)) == ["c", "b", "a"]


documents = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(
    scores=st.dictionaries(
        st.sampled_from(["q1", "q2", "ü"]),
        st.dictionaries(st.sampled_from("abcdef"), st.integers(-40, 40).map(lambda n: n / 8), min_size=1),
    ),
    lists=st.fixed_dictionaries({name: st.dictionaries(st.sampled_from(["q1", "q2"]), documents) for name in WEIGHTS}),
)
@settings(max_examples=60, deadline=None)
def test_against_plain_numpy(scores: dict[str, dict[str, float]], lists: dict[str, Lists]) -> None:
    tables = {"reranked": reranked(scores), "texts": TEXTS, **{name: ranked(of) for name, of in lists.items()}}
    rows = run(WEIGHTS, **tables)
    found = {(row["query_id"], row["doc_id"]): row["score"] for row in rows}
    expected = {}
    for query, of in scores.items():
        values = np.array(list(of.values()))
        z = (values - values.mean()) / (values.std() if len(set(of.values())) > 1 else np.inf)
        for doc, score in zip(of, z, strict=True):
            for name, weight in WEIGHTS.items():
                places = lists[name].get(query, [])
                score -= weight * np.log((places.index(doc) if doc in places else len(places)) + 1)
            expected[query, doc] = score
    assert found == pytest.approx(expected, abs=1e-6)
    for query, of in scores.items():
        ranks = [row["rank"] for row in rows if row["query_id"] == query]
        assert ranks == list(range(1, len(of) + 1))
        along = [found[query, doc] for doc in order(rows, query)]
        assert along == sorted(along, reverse=True)


@pytest.mark.parametrize(
    ("weights", "left_out", "words"),
    [
        ({"bm25": 1, "minilm": 1}, "reranked", "no input 'reranked'"),
        ({"bm25": 1, "minilm": 1}, "texts", "no input 'texts'"),
        ({"bm25": 1, "minilm": 1}, "minilm", "no input 'minilm'"),
        ({"bm25": 1}, "", "the input 'minilm' has no weight"),
    ],
)
def test_what_does_not_fit_is_refused(
    three: dict[str, pa.Table], weights: dict[str, float], left_out: str, words: str
) -> None:
    three.pop(left_out, None)
    with pytest.raises(StageError, match=words):
        run(weights, **three)


@pytest.mark.parametrize("weights", [{}, {"bm25": -1}, {"bm25": float("nan")}, {"bm25": float("inf")}])
def test_bad_weights_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        InterpolateParams(name="mixed", weights=weights)
