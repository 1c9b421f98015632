"""Trainings by every loss, combined ones, and what a loss cannot use."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError
from trainings import RANDOM_ONLY, RECIPE, same, train, triplets, weights

from hnm.errors import StageError
from hnm.training.recipe import LOSSES
from hnm.transforms.train_cross_encoder import TrainCrossEncoderParams


def teacher() -> pa.Table:
    """Positives 4, mined negatives 1, random ones -2."""
    rows = {}
    for row in triplets().to_pylist():
        rows[row["query_id"], row["positive_id"]] = 4.0
        rows[row["query_id"], row["negative_id"]] = 1.0 if row["strategy"] == "paper" else -2.0
    keys = list(rows)
    return pa.table({"query_id": [k[0] for k in keys], "doc_id": [k[1] for k in keys], "score": list(rows.values())})


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_every_loss_trains(tmp_path: Path, tiny_cross_encoder: Path, loss: str) -> None:
    tables = {"teacher": teacher()} if LOSSES[loss].teaches else {}
    log, context = train(tmp_path, tiny_cross_encoder, loss=loss, epochs=6, learning_rate=5e-3, tables=tables)
    values = log.column("loss").to_pylist()
    assert np.mean(values[-6:]) < 0.98 * np.mean(values[:6])
    row = log.to_pylist()[-1]
    scores, gradients = dict(row["scores"]), dict(row["gradients"])
    assert dict(row["losses"]).keys() == {loss}
    assert {"positive", "paper", "random"} <= scores.keys()
    assert scores.keys() == gradients.keys()
    assert scores["positive"] > scores["random"]
    assert f"| loss | {loss} |" in (context.model_folder / "README.md").read_text()


def test_combined_losses_are_logged_apart(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    losses = [{"loss": "cross_entropy"}, {"loss": "bce", "weight": 0.5, "pos_weight": 4}]
    log, context = train(tmp_path, tiny_cross_encoder, loss=losses)
    for row in log.to_pylist():
        parts = dict(row["losses"])
        assert row["loss"] == pytest.approx(parts["cross_entropy"] + 0.5 * parts["bce"], rel=1e-5)
    assert "cross_entropy + bce (weight 0.5, pos_weight 4.0)" in (context.model_folder / "README.md").read_text()


def test_a_teacher_is_copied(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    log, context = train(
        tmp_path, tiny_cross_encoder, loss="margin_mse", epochs=10, learning_rate=5e-3, tables={"teacher": teacher()}
    )
    scores = dict(log.to_pylist()[-1]["scores"])
    assert scores["positive"] > scores["paper"] > scores["random"]
    assert context.facts["triplets_without_teacher"] == 0


def test_weights_count(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    """Groups of weight 0 teach nothing."""
    table = triplets()
    zero = table.set_column(table.schema.get_field_index("weight"), "weight", pa.array([0.0] * table.num_rows))
    _, context = train(tmp_path, tiny_cross_encoder, table=zero, weight_column="weight", weight_decay=0)
    from safetensors.numpy import load_file

    assert same(weights(context), load_file(tiny_cross_encoder / "model.safetensors"))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("hinge", "Input should be 'cross_entropy'"),
        ([], "at least 1 item"),
        ({"loss": "bce", "margin": 1}, "bce has no setting 'margin'; its settings: pos_weight"),
        ({"loss": "cross_entropy", "k": 1}, "its settings: none"),
        (["bce", {"loss": "bce", "weight": 2}], "a loss stands twice in bce, bce"),
        (["bce", "cached_multiple_negatives_ranking"], "cannot be combined"),
        ({"loss": "bce", "weight": 0}, "greater than 0"),
    ],
)
def test_losses_that_are_none_or_do_not_go_together(loss: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainCrossEncoderParams(negatives=RANDOM_ONLY, loss=loss)


def test_weights_and_in_batch_negatives_do_not_go_together() -> None:
    with pytest.raises(ValidationError, match="takes no weight_column"):
        TrainCrossEncoderParams(negatives=RECIPE, loss="multiple_negatives_ranking", weight_column="weight")


def test_a_loss_that_needs_groups_given_triplets_without_ids(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    with pytest.raises(StageError, match=r"no column 'query_id'(.|\n)*a group is made of"):
        train(tmp_path, tiny_cross_encoder, table=triplets().drop_columns(["query_id", "positive_id", "negative_id"]))


def test_a_loss_that_needs_a_teacher_without_one(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    with pytest.raises(StageError, match="there is none"):
        train(tmp_path, tiny_cross_encoder, loss={"loss": "rank_net", "labels": "teacher"})


def test_what_counts_for_nothing_is_noted(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    teacher = pa.table({"query_id": ["a0"], "doc_id": ["p-a0"], "score": [1.0]})
    _, context = train(
        tmp_path, tiny_cross_encoder, tables={"teacher": teacher}, validation={"patience": 2}, max_steps=1
    )
    assert context.reporter.notes[:2] == [
        "reranker: no loss learns from the teacher",
        "reranker: nothing is validated without the input `validation`, whatever its settings",
    ]


def test_sql_can_read_the_log(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    import duckdb

    connection = duckdb.connect()
    connection.register("log", train(tmp_path, tiny_cross_encoder)[0])
    share = connection.sql(
        "select step, gradients['paper'] / gradients['positive'] as share from log order by step"
    ).fetchall()
    assert len(share) == 6
    assert all(0 < value < 1 for _, value in share)
