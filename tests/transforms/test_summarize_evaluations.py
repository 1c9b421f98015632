"""Means, intervals and paired tests over values per query."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.transforms.summarize_evaluations import SummarizeEvaluationsParams, summarize_evaluations

SCHEMA = pa.schema(
    {
        "model": pa.string(),
        "split": pa.string(),
        "query_id": pa.string(),
        "measure": pa.string(),
        "value": pa.float64(),
    }
)


def by_query(values: dict[str, Any], measure: str = "RR@10", split: str | None = "test") -> list[tuple[Any, ...]]:
    return [(model, split, f"q{i}", measure, value) for model, row in values.items() for i, value in enumerate(row)]


def summarized(tmp_path: Path, rows: list[tuple[Any, ...]], runs: pa.Table | None = None, **params: Any) -> pa.Table:
    table = pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], SCHEMA)
    context = Context(stage="evaluations", root=tmp_path, workdir=tmp_path / "work")
    inputs = Inputs.of(by_query=table, **({"runs": runs} if runs else {}))
    return pa.Table.from_batches(summarize_evaluations(inputs, SummarizeEvaluationsParams(**params), context))


def systems() -> dict[str, Any]:
    random = np.random.default_rng(0)
    base = random.choice([0, 0.2, 0.5, 1], 80)
    return {"bm25": base, "same": base, "better": np.minimum(1, base + 0.3), "noisy": random.permutation(base)}


def test_means_intervals_and_tests(tmp_path: Path) -> None:
    values = systems()
    table = summarized(tmp_path, by_query(values), baselines=("bm25",), seed=7)
    plain = {row["model"]: row for row in table.to_pylist() if row["baseline"] is None}
    tests = {row["model"]: row for row in table.to_pylist() if row["baseline"] == "bm25"}
    assert plain.keys() == values.keys()
    assert tests.keys() == values.keys() - {"bm25"}
    for model, row in plain.items():
        assert row["value"] == pytest.approx(np.mean(values[model]))
        assert row["ci_low"] < row["value"] < row["ci_high"]
        assert (row["queries"], row["split"], row["seed"]) == (80, "test", 7)
        assert row["difference"] is row["p_value"] is row["p_holm"] is None
    assert (tests["same"]["difference"], tests["same"]["p_value"], tests["same"]["p_holm"]) == (0, 1, 1)
    assert tests["better"]["difference"] == pytest.approx(np.mean(values["better"] - values["bm25"]))
    assert tests["better"]["p_value"] == pytest.approx(1 / 10_001)
    assert tests["better"]["p_holm"] == pytest.approx(3 / 10_001)
    assert tests["noisy"]["p_value"] > 0.05


def test_the_result_does_not_depend_on_the_order_of_the_rows(tmp_path: Path) -> None:
    rows = by_query(systems())
    shuffled = [rows[i] for i in np.random.default_rng(1).permutation(len(rows))]
    assert summarized(tmp_path, rows, baselines=("bm25",)).equals(summarized(tmp_path, shuffled, baselines=("bm25",)))


def test_splits_and_measures_are_summarized_apart(tmp_path: Path) -> None:
    rows = by_query({"a": [1, 1]}) + by_query({"a": [0.5, 0.5]}, "R@10") + by_query({"a": [0, 0, 0]}, split=None)
    found = {(r["split"], r["measure"]): (r["value"], r["queries"]) for r in summarized(tmp_path, rows).to_pylist()}
    assert found == {("test", "RR@10"): (1, 2), ("test", "R@10"): (0.5, 2), (None, "RR@10"): (0, 3)}


def test_several_baselines_are_tested_against_each_other_too(tmp_path: Path) -> None:
    table = summarized(tmp_path, by_query(systems()), baselines=("same", "bm25"))
    pairs = {(row["model"], row["baseline"]) for row in table.to_pylist() if row["baseline"]}
    assert pairs == {(m, b) for m in systems() for b in ("bm25", "same") if m != b}


def test_one_query_and_no_query(tmp_path: Path) -> None:
    one = summarized(tmp_path, by_query({"a": [0.5], "b": [1.0]}), baselines=("a",)).to_pylist()
    assert [(r["model"], r["ci_low"], r["ci_high"], r["p_value"]) for r in one] == [
        ("a", 0.5, 0.5, None),
        ("b", 1.0, 1.0, None),
        ("b", 1.0, 1.0, 1.0),
    ]
    assert summarized(tmp_path, [], baselines=("a",)).num_rows == 0


def test_an_unknown_baseline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="did you mean 'bm25'"):
        summarized(tmp_path, by_query(systems()), baselines=("bm52",))


def test_models_measured_on_other_queries_are_refused(tmp_path: Path) -> None:
    rows = by_query({"a": [0, 1], "b": [1, 1]})
    with pytest.raises(StageError, match="its queries differ from those of 'a'"):
        summarized(tmp_path, rows[:-1])
    with pytest.raises(StageError, match="a query occurs twice"):
        summarized(tmp_path, [*rows, rows[-1]])


def test_only_what_is_tested_is_compared_and_corrected_for(tmp_path: Path) -> None:
    rows = by_query(systems())
    table = summarized(tmp_path, rows, baselines=("bm25", "noisy"), tested=("better", "noisy")).to_pylist()
    pairs = {(row["model"], row["baseline"]): row for row in table if row["baseline"]}
    assert pairs.keys() == {("better", "bm25"), ("noisy", "bm25"), ("better", "noisy")}
    assert pairs["better", "bm25"]["p_holm"] == pytest.approx(2 / 10_001)
    assert pairs["better", "noisy"]["p_holm"] == pairs["better", "noisy"]["p_value"]
    assert len({row["model"] for row in table}) == 4


def test_an_unknown_name_among_the_tested_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="'betta' was not evaluated"):
        summarized(tmp_path, by_query(systems()), tested=("betta",))


def test_versions_are_those_of_the_runs(tmp_path: Path) -> None:
    names = ["retriever", "model_version", "dataset_version"]
    runs = pa.table(list(zip(("bm25", None, None), ("better", "w", "t"), ("better", "w", "t"), strict=True)), names)
    rows = summarized(tmp_path, by_query(systems()), runs, baselines=("bm25",)).to_pylist()
    versions = {(row["model"], row["model_version"], row["dataset_version"]) for row in rows}
    assert versions == {("bm25", None, None), ("better", "w", "t"), ("same", None, None), ("noisy", None, None)}
