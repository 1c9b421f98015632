"""Early stopping and the best step, with and without a kill."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from trainings import Killed, same, train, triplets, weights

from hnm.training.trainer import Trainer

TABLE = triplets()
QUERIES = sorted(set(TABLE.column("query_id").to_pylist()))[:8]


def held_out() -> dict[str, pa.Table]:
    """For each query its positive and the other queries' positives, in one order for all."""
    rows = [(query, f"p-{other}", rank) for query in QUERIES for rank, other in enumerate(QUERIES, 1)]
    query_ids, doc_ids, ranks = (list(column) for column in zip(*rows, strict=True))
    return {
        "validation": pa.table({"query_id": query_ids, "doc_id": doc_ids, "rank": ranks}),
        "texts": pa.table(
            {
                "kind": ["query"] * 8 + ["document"] * 8,
                "id": QUERIES + [f"p-{query}" for query in QUERIES],
                "text": QUERIES + [f"{query} {query}" for query in QUERIES],
            }
        ),
        "judgments": pa.table(
            {"query_id": QUERIES, "doc_id": [f"p-{q}" for q in QUERIES], "grade": [1] * 8, "split": ["dev"] * 8}
        ),
    }


def validated(root: Path, start: Path, name: str = "reranker", every: int = 2, **params: Any) -> Any:
    patience = params.pop("patience", None)
    return train(root, start, name, tables=held_out(), validation={"every": every, "patience": patience}, **params)


def test_the_best_steps_weights_are_published(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    log, context = validated(tmp_path, tiny_cross_encoder, epochs=3)
    rows = [row for row in log.to_pylist() if row["validation"] is not None]
    assert [row["step"] for row in rows] == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    assert (rows[0]["loss"], rows[0]["scores"]) == (None, [])
    best = max(rows, key=lambda row: (row["validation"], -row["step"]))
    assert context.facts["best_step"] == best["step"]
    assert context.facts["RR@10"] == {
        "start": rows[0]["validation"],
        "published": best["validation"],
        "last": rows[-1]["validation"],
    }
    assert f"published: {best['validation']}" in (context.model_folder / "README.md").read_text()
    assert len(list((context.workdir / "best").iterdir())) == 1


def test_validating_changes_nothing_that_is_trained(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    watched, context = validated(tmp_path, tiny_cross_encoder, "watched", epochs=2)
    assert context.reporter.notes[1:] == ["watched: 8 of 8 queries of the validation are trained on, too"]
    plain, _ = train(tmp_path, tiny_cross_encoder, "plain", epochs=2)
    assert watched.column("loss").to_pylist()[1:] == plain.column("loss").to_pylist()


def test_nothing_better_than_the_start_publishes_the_start(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    from safetensors.numpy import load_file

    _, context = validated(tmp_path, tiny_cross_encoder, learning_rate=1e-12, warmup_ratio=0)
    assert context.facts["best_step"] == 0
    assert same(weights(context), load_file(tiny_cross_encoder / "model.safetensors"))


def test_patience_ends_a_training(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    log, context = validated(tmp_path, tiny_cross_encoder, learning_rate=1e-12, patience=2, epochs=4)
    assert log.column("step").to_pylist() == [0, 1, 2, 3, 4]
    assert (context.facts["steps"], context.facts["ended_by"]) == (4, "patience")


@pytest.mark.parametrize("stop_after", [3, 5, 8, 11])
def test_a_killed_training_publishes_the_same_step(tmp_path: Path, tiny_cross_encoder: Path, stop_after: int) -> None:
    settings = {"epochs": 2, "every": 3, "checkpoint_steps": 4, "average_with_start": 0.3}
    log, whole = validated(tmp_path, tiny_cross_encoder, "whole", **settings)
    with pytest.raises(Killed):
        validated(tmp_path, tiny_cross_encoder, "killed", stop_after=stop_after, **settings)
    resumed, context = validated(tmp_path, tiny_cross_encoder, "killed", **settings)
    assert resumed.drop_columns("seconds").equals(log.drop_columns("seconds"))
    assert context.facts["best_step"] == whole.facts["best_step"]
    assert same(weights(whole), weights(context))


def test_what_is_validated_is_what_is_published(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    """With averaging, too: a rerank of the same lists by the published folder gives the value of the log."""
    from hnm.context import Settings
    from hnm.inputs import Inputs
    from hnm.models.cross_encoder import open_cross_encoder
    from hnm.training.recipe import ValidationParams
    from hnm.training.validation import read_validation

    _, context = validated(tmp_path, tiny_cross_encoder, epochs=3, average_with_start=0.4)
    settings = Settings(precision="fp32")
    lists = read_validation(Inputs.of(**held_out()), ValidationParams(), 32, 0)
    assert lists is not None
    model = open_cross_encoder(context.model_folder, settings, 32)
    assert lists.value(model, settings) == context.facts["RR@10"]["published"]


def test_the_step_at_which_minutes_end_is_validated(
    tmp_path: Path, tiny_cross_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the time runs out while the step is logged: the best one would be sought among too few otherwise."""
    asked = iter(range(10_000))
    monkeypatch.setattr(Trainer, "_share_of_time", lambda _: float(next(asked) >= 8))
    log, context = validated(tmp_path, tiny_cross_encoder, every=1000, epochs=100, max_minutes=1)
    assert log.num_rows < 10
    assert log.column("validation")[-1].as_py() is not None
    assert context.facts["ended_by"] == "minutes"
