"""Means over groups of queries."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hnm.context import Context
from hnm.inputs import Inputs
from hnm.transforms.summarize_groups import SummarizeGroupsParams, summarize_groups

VALUES = {"start": [1.0, 0.5, 0.0, 0.2], "hard": [1.0, 1.0, 0.5, 0.2]}
GROUPS = [("q0", "length", "short"), ("q1", "length", "short"), ("q2", "length", "long"), ("q0", "kind", "x")]


def summarized(tmp_path: Path, groups: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    by_query = [
        {"model": model, "split": "test", "query_id": f"q{i}", "measure": "RR@10", "value": value}
        for model, values in VALUES.items()
        for i, value in enumerate(values)
    ]
    names = {"query_id": pa.string(), "grouping": pa.string(), "group": pa.string()}
    rows = [dict(zip(names, row, strict=True)) for row in groups]
    inputs = Inputs.of(by_query=pa.Table.from_pylist(by_query), groups=pa.Table.from_pylist(rows, pa.schema(names)))
    context = Context("evaluations_by_group", tmp_path, tmp_path / "work")
    return pa.Table.from_batches(summarize_groups(inputs, SummarizeGroupsParams(), context)).to_pylist()


def test_means_by_hand(tmp_path: Path) -> None:
    found = summarized(tmp_path, GROUPS)
    values = {(row["grouping"], row["group"], row["model"]): (row["value"], row["queries"]) for row in found}
    assert values == {
        ("kind", "x", "hard"): (1, 1),
        ("kind", "x", "start"): (1, 1),
        ("length", "long", "hard"): (0.5, 1),
        ("length", "long", "start"): (0, 1),
        ("length", "short", "hard"): (1, 2),
        ("length", "short", "start"): (0.75, 2),
    }
    assert all(row["ci_low"] <= row["value"] <= row["ci_high"] for row in found)
    interval = next((row["ci_low"], row["ci_high"]) for row in found if row["value"] == 0.75)
    assert interval == pytest.approx((0.5, 1))


def test_the_order_of_the_rows_does_not_matter(tmp_path: Path) -> None:
    assert summarized(tmp_path, GROUPS) == summarized(tmp_path, GROUPS[::-1])


def test_no_groups(tmp_path: Path) -> None:
    assert summarized(tmp_path, []) == []
