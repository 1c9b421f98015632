"""Fitted weights: their measure is that of ir-measures, and no single change of a weight would raise it."""

from pathlib import Path

import ir_measures
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hnm.context import Context
from hnm.errors import StageError, TemplateError
from hnm.inputs import Inputs
from hnm.retrieval.candidates import SCHEMA
from hnm.transforms.fit_fusion_weights import FusionWeightsParams, fit_fusion_weights

HERE = Path()
Lists = dict[tuple[str, str], list[str]]
"""By query and retriever: documents, best first."""


def candidates(lists: Lists) -> pa.Table:
    rows = [
        {"query_id": query, "doc_id": name, "retriever": retriever, "rank": rank, "score": 10.0 / rank}
        for (query, retriever), names in lists.items()
        for rank, name in enumerate(names, 1)
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


def relevant(pairs: list[tuple[str, str]], split: str = "dev") -> pa.Table:
    rows = [{"query_id": query, "doc_id": name, "split": split} for query, name in pairs]
    return pa.Table.from_pylist(rows, pa.schema([(name, pa.string()) for name in ("query_id", "doc_id", "split")]))


def fit(lists: pa.Table | Lists, right: pa.Table, root: Path = HERE, **params: object) -> list[dict[str, object]]:
    table = lists if isinstance(lists, pa.Table) else candidates(lists)
    inputs = Inputs.of(candidates=table, relevant=right)
    batches = fit_fusion_weights(inputs, FusionWeightsParams(**params), Context("weights", root, root))
    return pa.Table.from_batches(list(batches)).to_pylist()


def example(seed: int, queries: int = 12, retrievers: str = "ab") -> tuple[Lists, list[tuple[str, str]]]:
    """Retriever a knows something, the others nothing."""
    random = np.random.default_rng(seed)
    lists: Lists = {}
    pairs = []
    for i in range(queries):
        names = [f"d{j:02}" for j in random.permutation(30)]
        pairs += [(f"q{i}", names[0]), (f"q{i}", names[1])]
        for retriever in retrievers:
            noise = random.normal(size=30) * (0.8 if retriever == "a" else 9)
            order = np.argsort(noise - np.array([2.0] * 2 + [0.0] * 28))
            lists[f"q{i}", retriever] = [names[j] for j in order[:15]]
    return lists, pairs


def test_the_better_retriever_gets_the_weight() -> None:
    lists, pairs = example(1)
    rows = fit(lists, relevant(pairs))
    assert [row["retriever"] for row in rows] == ["a", "b"]
    assert rows[0]["weight"] > rows[1]["weight"]
    assert rows[0]["alone"] > rows[1]["alone"]
    assert rows[0]["value"] >= max(rows[0]["alone"], rows[1]["alone"], rows[0]["value_equal"])
    assert {(row["measure"], row["queries"]) for row in rows} == {("RR@10", 12)}


@pytest.mark.parametrize("measure", ["RR@10", "nDCG@10"])
def test_values_are_those_of_ir_measures(measure: str) -> None:
    lists, pairs = example(2, 20, "abc")
    rows = fit(lists, relevant(pairs), method="rrf", measure=measure)
    weights = {row["retriever"]: row["weight"] for row in rows}
    run: dict[str, dict[str, float]] = {}
    for (query, retriever), names in lists.items():
        for rank, name in enumerate(names, 1):
            scores = run.setdefault(query, {})
            scores[name] = scores.get(name, 0) + weights[retriever] / (60 + rank)
    # Where ir-measures would order ties otherwise, ids decide.
    run = {query: {name: s - 1e-9 * int(name[1:]) for name, s in scores.items()} for query, scores in run.items()}
    qrels: dict[str, dict[str, int]] = {}
    for query, name in pairs:
        qrels.setdefault(query, {})[name] = 1
    parsed = ir_measures.parse_measure(measure)
    assert rows[0]["value"] == pytest.approx(ir_measures.calc_aggregate([parsed], qrels, run)[parsed])


@pytest.mark.parametrize("method", ["min_max", "z_score", "borda", "isr", "rrf"])
def test_every_method_can_be_fitted_and_row_order_changes_nothing(method: str) -> None:
    lists, pairs = example(3, 8, "abc")
    rows = fit(lists, relevant(pairs), method=method)
    shuffled = candidates(lists).take(np.random.default_rng(0).permutation(len(candidates(lists))))
    assert rows == fit(shuffled, relevant(pairs[::-1]), method=method)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_no_other_weight_of_one_retriever_would_be_better(seed: int) -> None:
    lists, pairs = example(seed, 5, "abc")
    rows = fit(lists, relevant(pairs), rounds=20)
    found, value = {row["retriever"]: row["weight"] for row in rows}, rows[0]["value"]
    for retriever in found:
        for weight in (0, 1, 4):
            other = {**found, retriever: weight}
            if any(other.values()):
                assert applied(lists, pairs, other) <= value + 1e-9


def applied(lists: Lists, pairs: list[tuple[str, str]], weights: dict[str, float]) -> float:
    """RR@10 of min-max fusion in plain Python: these lists have the same scores for all, so ranks alone decide."""
    scaled = [(10 / rank - 10 / 15) / (10 - 10 / 15) for rank in range(1, 16)]
    total = 0.0
    queries = {query for query, _ in lists}
    for query in queries:
        scores: dict[str, float] = {}
        for (asked, retriever), names in lists.items():
            if asked == query and weights[retriever]:
                for name, points in zip(names, scaled, strict=True):
                    scores[name] = scores.get(name, 0) + weights[retriever] * points / sum(weights.values())
        order = sorted(scores, key=lambda name: (-round(scores[name], 12), name))[:10]
        total += max(
            (1 / (order.index(name) + 1) for asked, name in pairs if asked == query and name in order), default=0
        )
    return total / len(queries)


def test_a_grid_of_nothing_leaves_the_start() -> None:
    assert [row["weight"] for row in fit({("q", "a"): ["x"]}, relevant([("q", "x")]), grid=[0])] == [1]


def test_only_the_wanted_queries_and_grades_count() -> None:
    lists: Lists = {("q", "a"): ["x", "y"], ("q", "b"): ["y", "x"], ("t", "a"): ["x"], ("t", "b"): ["x"]}
    judged = pa.table(
        {
            "query_id": ["q", "q", "t", "u"],
            "doc_id": ["x", "y", "x", "x"],
            "split": ["dev", "dev", "test", "dev"],
            "grade": [0, 2, 2, 2],
        }
    )
    rows = fit(lists, judged)
    # q's right answer is y, u has no candidates, and t is of another split.
    assert [(row["alone"], row["queries"]) for row in rows] == [(0.25, 2), (0.5, 2)]
    assert [row["alone"] for row in fit(lists, judged, min_grade=0)] == [0.5, 0.5]
    assert {row["queries"] for row in fit(lists, judged, splits=None)} == {3}
    assert [row["retriever"] for row in fit(lists, judged, retrievers=["b"])] == ["b"]


def test_positives_from_clicks_have_no_grade() -> None:
    rows = relevant([("q", "x")])
    positives = rows.append_column("grade", pa.array([None], pa.int32()))
    assert fit({("q", "a"): ["x"]}, positives) == fit({("q", "a"): ["x"]}, rows)


def test_random_documents_are_no_retriever() -> None:
    lists: Lists = {("q", "a"): ["y", "x"], ("q", "random"): ["x"]}
    assert [(row["retriever"], row["value"]) for row in fit(lists, relevant([("q", "x")]))] == [("a", 0.5)]


def test_a_method_of_the_project_can_be_fitted(tmp_path: Path) -> None:
    (tmp_path / "sql/macros").mkdir(parents=True)
    macro = "{% macro fuse_last(retriever, fused) %}coalesce(rank_{{ retriever }}, 0){% endmacro %}"
    path = tmp_path / "sql/macros/fuse_last.sql"
    path.write_text(macro)
    rows = fit({("q", "a"): ["y", "z", "x"]}, relevant([("q", "x")]), tmp_path, method="last")
    assert rows[0]["value"] == 1
    assert fit_fusion_weights.files is not None
    assert path in fit_fusion_weights.files(FusionWeightsParams(method="last"), tmp_path)


def test_what_cannot_be_fitted_is_refused() -> None:
    lists: Lists = {("q", "a"): ["x"]}
    with pytest.raises(StageError, match="no right answer for queries of dev"):
        fit(lists, relevant([("q", "x")], "train"))
    with pytest.raises(StageError, match="'b' has no candidates"):
        fit(lists, relevant([("q", "x")]), retrievers=["b"])
    with pytest.raises(StageError, match="no candidates to fuse"):
        fit({}, relevant([("q", "x")]))
    with pytest.raises(StageError, match="'my bm25' cannot be fused"):
        fit({("q", "my bm25"): ["x"]}, relevant([("q", "x")]))
    with pytest.raises(TemplateError, match="no macro 'fuse_comb'"):
        fit(lists, relevant([("q", "x")]), method="comb")


@pytest.mark.parametrize(
    "params", [{"measure": "AP"}, {"grid": []}, {"grid": [-1]}, {"rounds": 0}, {"retrievers": []}, {"method": "a b"}]
)
def test_refuses_impossible_parameters(params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FusionWeightsParams(**params)
