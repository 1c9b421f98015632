"""Shorter first-stage lists, from the scores of the whole ones."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.transforms.evaluate_by_depth import EvaluateByDepthParams, evaluate_by_depth

JUDGED = [("q1", "c", 1, "test"), ("q2", "b", 1, "test"), ("q3", "z", 1, "test"), ("bad", "a", 0, "test")]
FIRST = {"q1": "abcd", "q2": "abcd", "q3": "ab"}
RERANKED = {"q1": "dcab", "q2": "bacd", "q3": "ba"}


def lists(name: str, of: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"query_id": query, "doc_id": doc, "retriever": name, "rank": rank}
        for query, docs in of.items()
        for rank, doc in enumerate(docs, 1)
    ]


def by_depth(tmp_path: Path, **params: Any) -> list[dict[str, Any]]:
    runs = pa.Table.from_pylist(lists("bm25", FIRST) + lists("ce", RERANKED) + lists("other", {"q1": "xyz"}))
    judgments = [dict(zip(("query_id", "doc_id", "grade", "split"), row, strict=True)) for row in JUDGED]
    inputs = Inputs.of(
        judgments=pa.Table.from_pylist(judgments), runs=runs, first_stage=pa.Table.from_pylist(lists("bm25", FIRST))
    )
    context = Context("evaluations_by_depth", tmp_path, tmp_path / "work")
    batches = evaluate_by_depth(inputs, EvaluateByDepthParams(measures=("RR@10",), **params), context)
    return pa.Table.from_batches(batches).to_pylist()


def means(rows: list[dict[str, Any]]) -> dict[tuple[str, int], float]:
    return {(row["model"], row["depth"]): row["value"] for row in rows}


def test_a_shorter_list_keeps_the_order_of_the_longer_one(tmp_path: Path) -> None:
    found = by_depth(tmp_path, models=("bm25", "ce"), depths=(1, 2, 3, 4, 9))
    # By ce, q1 is d c a b: with the first 3 documents, c stands first; with the first 2, it is not there.
    assert means(found) == pytest.approx(
        {
            ("bm25", 1): 0,
            ("bm25", 2): (0 + 1 / 2 + 0) / 3,
            ("bm25", 3): (1 / 3 + 1 / 2 + 0) / 3,
            ("bm25", 4): (1 / 3 + 1 / 2 + 0) / 3,
            ("ce", 1): 0,
            ("ce", 2): (0 + 1 + 0) / 3,
            ("ce", 3): (1 + 1 + 0) / 3,
            ("ce", 4): (1 / 2 + 1 + 0) / 3,
        }
    )
    assert {(row["split"], row["measure"], row["queries"]) for row in found} == {("test", "RR@10", 3)}
    assert all(row["ci_low"] <= row["value"] <= row["ci_high"] for row in found)


def test_the_whole_list_is_the_last_depth(tmp_path: Path) -> None:
    assert {depth for _, depth in means(by_depth(tmp_path, models=("ce",)))} == {4}
    assert {depth for _, depth in means(by_depth(tmp_path, models=("ce",), depths=(3,)))} == {3, 4}


def test_what_the_first_stage_did_not_list_does_not_count(tmp_path: Path) -> None:
    assert means(by_depth(tmp_path))["other", 4] == 0


def test_nothing_to_evaluate(tmp_path: Path) -> None:
    empty = {"query_id": pa.string(), "doc_id": pa.string(), "retriever": pa.string(), "rank": pa.int32()}
    none = pa.schema(empty).empty_table()
    judgments = pa.schema(
        {"query_id": pa.string(), "doc_id": pa.string(), "grade": pa.int32(), "split": pa.string()}
    ).empty_table()
    inputs = Inputs.of(judgments=judgments, runs=none, first_stage=none)
    table = pa.Table.from_batches(
        evaluate_by_depth(inputs, EvaluateByDepthParams(), Context("s", tmp_path, tmp_path / "w"))
    )
    assert table.num_rows == 0
    assert table.schema.names[:4] == ["model", "split", "depth", "measure"]


def test_a_wrong_measure_or_depth_is_refused() -> None:
    with pytest.raises(ValidationError, match="is not a measure"):
        EvaluateByDepthParams(measures=("Best@3",))
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        EvaluateByDepthParams(depths=(0,))


def test_a_malformed_run_is_refused(tmp_path: Path) -> None:
    twice = pa.Table.from_pylist(lists("ce", {"q1": "aa"}))
    judgments = pa.Table.from_pylist([{"query_id": "q1", "doc_id": "a", "grade": 1, "split": "test"}])
    inputs = Inputs.of(judgments=judgments, runs=twice, first_stage=twice)
    with pytest.raises(StageError, match="a document or a rank twice"):
        list(evaluate_by_depth(inputs, EvaluateByDepthParams(), Context("s", tmp_path, tmp_path / "w")))
