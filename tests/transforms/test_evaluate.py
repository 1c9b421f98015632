"""Measures against hand-computed values, and what runs lack or have too much of."""

from math import log2
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.transforms.evaluate import EvaluateParams, evaluate

JUDGMENTS = pa.schema({"query_id": pa.string(), "doc_id": pa.string(), "grade": pa.int32(), "split": pa.string()})
RUNS = pa.schema({"query_id": pa.string(), "doc_id": pa.string(), "retriever": pa.string(), "rank": pa.int32()})

JUDGED = [
    ("q1", "a", 1, "test"),
    ("q1", "b", 0, "test"),
    ("q2", "c", 2, "test"),
    ("q2", "d", 1, "test"),
    ("q3", "e", 1, "test"),
]


def rows(schema: pa.Schema, values: list[tuple[Any, ...]]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in values], schema)


def run_of(name: str, **lists: str) -> list[tuple[Any, ...]]:
    return [(query, doc, name, rank) for query, docs in lists.items() for rank, doc in enumerate(docs, start=1)]


def evaluated(
    tmp_path: Path, judgments: list[tuple[Any, ...]], runs: list[tuple[Any, ...]], **params: Any
) -> tuple[dict[tuple[str, str | None, str, str], float], Context]:
    context = Context(stage="evaluations_by_query", root=tmp_path, workdir=tmp_path / "work")
    inputs = Inputs.of(judgments=rows(JUDGMENTS, judgments), runs=rows(RUNS, runs))
    table = pa.Table.from_batches(evaluate(inputs, EvaluateParams(**params), context))
    assert table.schema.names == ["model", "split", "query_id", "measure", "value"]
    assert table.schema.field("value").type == pa.float64()
    return {(r["model"], r["split"], r["query_id"], r["measure"]): r["value"] for r in table.to_pylist()}, context


def test_measures_by_hand(tmp_path: Path) -> None:
    found, context = evaluated(tmp_path, JUDGED, run_of("bm25", q1="xya", q2="dxc", q3="xyzwe"))
    by_measure = {
        measure: [found["bm25", "test", q, measure] for q in ("q1", "q2", "q3")]
        for measure in EvaluateParams().measures
    }
    assert by_measure["RR@3"] == pytest.approx([1 / 3, 1, 0])
    assert by_measure["RR@10"] == pytest.approx([1 / 3, 1, 1 / 5])
    assert by_measure["R@10"] == pytest.approx([1, 1, 1])
    assert by_measure["R@50"] == pytest.approx([1, 1, 1])
    graded = (1 + 2 / log2(4)) / (2 + 1 / log2(3))
    assert by_measure["nDCG@10"] == pytest.approx([1 / log2(4), graded, 1 / log2(6)])
    assert context.facts == {"queries": {"test": 3}, "models": ["bm25"], "queries_without_relevant": 0}


def test_grades_from_0_to_3_by_hand(tmp_path: Path) -> None:
    judged = [("q", doc, grade, "test") for doc, grade in {"a": 3, "b": 0, "c": 1, "d": 2}.items()]
    found, _ = evaluated(tmp_path, judged, run_of("start", q="bcxa"))
    assert {measure: value for (_, _, _, measure), value in found.items()} == pytest.approx(
        {
            "RR@3": 1 / 2,
            "RR@10": 1 / 2,
            "nDCG@10": (1 / log2(3) + 3 / log2(5)) / (3 + 2 / log2(3) + 1 / log2(4)),
            "AP": (1 / 2 + 2 / 4) / 3,
            "R@10": 2 / 3,
            "R@50": 2 / 3,
            "Success@1": 0,
            "Success@5": 1,
        }
    )


def test_a_judged_query_that_a_run_lacks_counts_as_zero(tmp_path: Path) -> None:
    found, _ = evaluated(tmp_path, JUDGED, run_of("full", q1="a", q2="c", q3="e") + run_of("half", q1="a"))
    assert len(found) == 2 * 3 * len(EvaluateParams().measures)
    assert {found["half", "test", query, "RR@10"] for query in ("q2", "q3")} == {0.0}
    assert found["half", "test", "q1", "RR@10"] == 1


def test_unjudged_queries_and_queries_without_a_relevant_document_are_left_out(tmp_path: Path) -> None:
    judged = [*JUDGED, ("q4", "a", 0, "test")]
    found, context = evaluated(tmp_path, judged, run_of("r", q1="a", q4="a", unknown="a"), measures=["RR@10"])
    assert {query for _, _, query, _ in found} == {"q1", "q2", "q3"}
    assert context.facts["queries_without_relevant"] == 1


def test_the_order_of_a_run_is_its_rank(tmp_path: Path) -> None:
    judged = [("q", "z", 1, "test")]
    values = [("q", "a", "r", 2), ("q", "z", "r", 1), ("q", "b", "r", 3)]
    for order in (values, values[::-1]):
        assert evaluated(tmp_path, judged, order, measures=["RR@10"])[0] == {("r", "test", "q", "RR@10"): 1.0}


def test_splits_stay_apart_and_can_be_chosen(tmp_path: Path) -> None:
    judged = [("q1", "a", 1, "test"), ("q2", "b", 1, "dev"), ("q3", "c", 1, None)]
    runs = run_of("r", q1="a", q2="xb", q3="yxc")
    found, _ = evaluated(tmp_path, judged, runs, measures=["RR@10"])
    assert found == {
        ("r", "test", "q1", "RR@10"): 1,
        ("r", "dev", "q2", "RR@10"): 0.5,
        ("r", None, "q3", "RR@10"): pytest.approx(1 / 3),
    }
    only, context = evaluated(tmp_path, judged, runs, measures=["RR@10"], splits=["dev"])
    assert list(only) == [("r", "dev", "q2", "RR@10")]
    assert context.facts["queries"] == {"dev": 1}


def test_no_run_and_no_judgment_give_no_rows(tmp_path: Path) -> None:
    assert evaluated(tmp_path, JUDGED, [])[0] == {}
    assert evaluated(tmp_path, [], run_of("r", q1="a"))[0] == {}


def test_unicode_ids(tmp_path: Path) -> None:
    found, _ = evaluated(
        tmp_path, [("frage é 1", "dök\u3000ü", 1, "test")], [("frage é 1", "dök\u3000ü", "λ", 1)], measures=["RR@10"]
    )
    assert found == {("λ", "test", "frage é 1", "RR@10"): 1.0}


@pytest.mark.parametrize("twice", [[("q", "a", "r", 1), ("q", "a", "r", 2)], [("q", "a", "r", 1), ("q", "b", "r", 1)]])
def test_a_malformed_run_is_refused(tmp_path: Path, twice: list[tuple[Any, ...]]) -> None:
    with pytest.raises(StageError, match="twice for query 'q'"):
        evaluated(tmp_path, [("q", "a", 1, "test")], twice)


@pytest.mark.parametrize("measure", ["Accuracy@10", "P(rel=0)@5"])
def test_a_measure_that_its_package_cannot_compute_is_an_error_that_names_it(tmp_path: Path, measure: str) -> None:
    runs = [("q", "a", "r", 1)]  # Accuracy divides by the documents that are not relevant
    with pytest.raises(StageError, match=r"a measure cannot be computed \(" + measure.partition("(")[0]):
        evaluated(tmp_path, [("q", "a", 1, "test")], runs, measures=(measure,))


def test_measures_are_checked_when_the_project_is_read() -> None:
    assert EvaluateParams(measures=("MRR@10", "RR@10", "P@5", "Success@1")).measures == ("RR@10", "P@5", "Success@1")
    for wrong in ("nDCC@10", "RR@ten", "", "nDCG@-", "P@0", "RR@0"):
        with pytest.raises(ValidationError, match="is not a measure"):
            EvaluateParams(measures=(wrong,))
    with pytest.raises(ValidationError):
        EvaluateParams(measures=())
