"""Training: reproducible, resumable, equal budgets, and a folder that works elsewhere."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import load_file
from trainings import RANDOM_ONLY, RECIPE, Killed, same, train, triplets, weights

from hnm.errors import ModelError, StageError
from hnm.transforms.train_cross_encoder import TrainCrossEncoderParams


@pytest.mark.parametrize("loss", ["cross_entropy", "bce"])
def test_training_learns_what_the_groups_show(tmp_path: Path, tiny_cross_encoder: Path, loss: str) -> None:
    log, context = train(tmp_path, tiny_cross_encoder, loss=loss, epochs=10)
    losses = log.column("loss").to_pylist()
    assert np.mean(losses[-6:]) < 0.9 * np.mean(losses[:6])
    assert log.column("step").to_pylist() == list(range(1, 61))
    assert log.column("epoch")[-1].as_py() == pytest.approx(10)
    seconds = log.column("seconds").to_pylist()
    assert seconds == sorted(seconds)
    assert context.facts["steps"] == 60


def test_the_folder_is_a_cross_encoder_anywhere(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    from sentence_transformers import CrossEncoder

    _, context = train(tmp_path, tiny_cross_encoder)
    files = {path.name for path in context.model_folder.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md"} <= files
    assert not [name for name in files if name.endswith((".bin", ".pt", ".pth", ".pkl"))]
    model = CrossEncoder(str(context.model_folder), device="cpu")
    assert (model.num_labels, model.max_seq_length, model.keep_in_fp32_modules) == (1, 32, [])
    scores = model.predict([("a0", "a0 a0"), ("a0", "z1 y1")])
    assert scores[0] > scores[1]
    card = (context.model_folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: sentence-transformers\n")
    for fact in ("paper or fill: 2, random: 2", context.facts["training_data"], "cross_entropy", "| seed | 0 |"):
        assert fact in card


def test_the_same_seed_gives_the_same_folder_and_another_one_other_weights(
    tmp_path: Path, tiny_cross_encoder: Path
) -> None:
    first, one = train(tmp_path / "one", tiny_cross_encoder)
    second, two = train(tmp_path / "two", tiny_cross_encoder, table=triplets().take(list(range(144))[::-1]))
    assert first.drop_columns("seconds").equals(second.drop_columns("seconds"))
    for file in sorted(one.model_folder.iterdir()):
        assert file.read_bytes() == (two.model_folder / file.name).read_bytes(), file.name
    _, three = train(tmp_path, tiny_cross_encoder, "three", seed=1)
    assert not same(weights(one), weights(three))


@pytest.mark.parametrize("stop_after", [1, 3, 6])
def test_a_killed_training_goes_on_to_the_same_weights(
    tmp_path: Path, tiny_cross_encoder: Path, stop_after: int
) -> None:
    log, whole = train(tmp_path, tiny_cross_encoder, "whole")
    with pytest.raises(Killed):
        train(tmp_path, tiny_cross_encoder, "killed", stop_after=stop_after)
    checkpoints = tmp_path / "killed" / "checkpoints"
    assert len(list(checkpoints.glob("checkpoint-*"))) == (stop_after > 2)
    torn = checkpoints / "checkpoint-5"  # a checkpoint that the kill tore: no state, the last file to be written
    torn.mkdir(parents=True, exist_ok=True)
    (torn / "model.safetensors").write_bytes(b"torn")
    resumed, context = train(tmp_path, tiny_cross_encoder, "killed")
    assert same(weights(whole), weights(context))
    assert resumed.drop_columns("seconds").equals(log.drop_columns("seconds"))


def test_a_random_recipe_has_the_same_budget(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    budget = ("groups", "pairs", "steps", "groups_short_of_negatives")
    _, hard = train(tmp_path, tiny_cross_encoder, "hard", max_groups=10)
    _, random = train(tmp_path, tiny_cross_encoder, "random", max_groups=10, negatives=RANDOM_ONLY)
    assert [hard.facts[name] for name in budget] == [random.facts[name] for name in budget] == [10, 50, 3, 0]
    assert hard.facts["negatives"] == {"paper": 20, "random": 20}
    assert random.facts["negatives"] == {"random": 40}
    assert hard.reporter.notes == ["hard: no triplet has the strategy 'fill'"]


def test_max_steps_sets_the_budget(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    log, _ = train(tmp_path, tiny_cross_encoder, max_steps=9)
    assert log.num_rows == 9


def test_a_lone_step_learns(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    """A schedule that begins with a warm-up begins at 0, and there is nothing after it."""
    start = load_file(tiny_cross_encoder / "model.safetensors")
    log, context = train(tmp_path, tiny_cross_encoder, "one", groups_per_batch=64)
    assert log.column("learning_rate").to_pylist() == [1e-3]
    assert not same(weights(context), start)
    _, context = train(tmp_path, tiny_cross_encoder, "late", max_minutes=1e-9, epochs=100)
    assert same(weights(context), start)
    assert "over before the learning rate rose" in context.reporter.notes[-1]


def test_a_batch_in_parts_trains_like_a_whole_one(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    """Up to rounding and dropout, which draws other units; the mean loss of the first step shows neither strongly."""
    whole, _ = train(tmp_path, tiny_cross_encoder, "whole", groups_per_batch=12, groups_at_once=12)
    parts, _ = train(tmp_path, tiny_cross_encoder, "parts", groups_per_batch=12, groups_at_once=3)
    assert whole.num_rows == parts.num_rows == 2
    assert parts.column("loss")[0].as_py() == pytest.approx(whole.column("loss")[0].as_py(), abs=0.02)


def test_a_fresh_head_is_seeded(tmp_path: Path, tiny_backbone: Path) -> None:
    contexts = [train(tmp_path, tiny_backbone, f"run{i}", seed=i // 2, max_groups=4)[1] for i in range(3)]
    assert same(weights(contexts[0]), weights(contexts[1]))
    assert not same(weights(contexts[0]), weights(contexts[2]))


@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step.*")
def test_a_lost_loss_names_its_step_and_records_its_batch(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    with pytest.raises(StageError, match=r"lost its way at step \d+") as caught:
        train(tmp_path, tiny_cross_encoder, learning_rate=1e38, warmup_ratio=0)
    assert "nan" in str(caught.value)
    path = tmp_path / "reranker" / "lost_batch.json"
    assert str(path) in str(caught.value)
    batch = json.loads(path.read_text())
    assert f"at step {batch['step']}\n" in str(caught.value)
    assert (batch["loss"], batch["losses/cross_entropy"]) == ("nan", "nan")
    assert len(batch["groups"]) == 4  # all parts of the step
    assert batch["groups"][0].keys() == {"query_id", "positive_id", "negative_ids", "strategies"}
    assert not (tmp_path / "reranker" / "model").exists()


def test_gradient_checkpointing_trains_to_the_same_weights(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    (one, _), (other, _) = (
        train(tmp_path, tiny_cross_encoder, f"run{flag}", gradient_checkpointing=flag) for flag in (False, True)
    )
    assert other.column("loss").to_pylist() == pytest.approx(one.column("loss").to_pylist(), rel=1e-5)


def test_nothing_is_printed(tmp_path: Path, tiny_cross_encoder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    train(tmp_path, tiny_cross_encoder)
    assert capfd.readouterr() == ("", "")


def test_no_triplets_and_unknown_names_are_refused(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    with pytest.raises(StageError, match="no triplets of train to train on"):
        train(tmp_path, tiny_cross_encoder, table=triplets().slice(0, 0))
    with pytest.raises(StageError, match="did you mean 'random'"):
        train(tmp_path, tiny_cross_encoder, negatives=[{"strategies": ["randon"], "per_group": 1}])
    with pytest.raises(ModelError, match="not found"):
        train(tmp_path, tmp_path / "nowhere")


def test_parameters_are_checked() -> None:
    with pytest.raises(ValidationError, match="no multiple of groups_at_once 3"):
        TrainCrossEncoderParams(negatives=RANDOM_ONLY, groups_per_batch=8, groups_at_once=3)
    for wrong in (
        {"negatives": []},
        {"negatives": RECIPE, "loss": "hinge"},
        {"negatives": [{"strategies": [], "per_group": 1}]},
        {"negatives": RECIPE, "seed": 2**32},
    ):
        with pytest.raises(ValidationError):
            TrainCrossEncoderParams(**wrong)


def test_each_training_has_its_own_precision_and_keeps_float32_weights(
    tmp_path: Path, tiny_cross_encoder: Path
) -> None:
    one, half, two = (
        train(tmp_path, tiny_cross_encoder, f"run{i}", precision=precision)[1]
        for i, precision in enumerate(("fp32", "bf16", "fp32"))
    )
    assert same(weights(one), weights(two))
    assert not same(weights(one), weights(half))
    assert {value.dtype for value in weights(half).values()} == {np.dtype(np.float32)}
    assert [context.facts["runs_on"].rpartition(", ")[2] for context in (one, half)] == ["fp32", "bf16 autocast"]
