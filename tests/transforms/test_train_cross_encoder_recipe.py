"""The recipe's knobs: frozen layers, averaging with the start, going on from a model, minutes, schedules."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from trainings import RANDOM_ONLY, Killed, same, train, weights

from hnm.errors import StageError
from hnm.transforms.train_cross_encoder import TrainCrossEncoderParams


def changed(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> set[str]:
    return {name for name in one if not np.array_equal(one[name], other[name])}


def start_weights(folder: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(folder / "model.safetensors")


def test_frozen_parts_stay_and_take_no_optimizer_state(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    import torch

    with pytest.raises(Killed):
        train(tmp_path, tiny_cross_encoder, freeze={"layers": 1}, stop_after=3)
    state = torch.load(tmp_path / "reranker" / "checkpoints" / "checkpoint-2" / "optimizer.pt", weights_only=True)
    _, context = train(tmp_path, tiny_cross_encoder, freeze={"layers": 1})
    moved = changed(start_weights(tiny_cross_encoder), weights(context))
    assert {name for name in moved if "embeddings" in name or "layer.0." in name} == set()
    assert {name.partition("layer.1.")[1] for name in moved} == {"layer.1.", ""}
    frozen = [w.size for n, w in weights(context).items() if "embeddings" in n or "layer.0." in n]
    assert context.facts["frozen_weights"] == sum(frozen)
    assert len(state["state"]) == len(weights(context)) - len(frozen)


def test_more_layers_than_there_are(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    with pytest.raises(StageError, match=r"no 3 layers(.|\n)*it has 2"):
        train(tmp_path, tiny_cross_encoder, freeze={"layers": 3})
    with pytest.raises(ValidationError, match="would save nothing"):
        TrainCrossEncoderParams(negatives=RANDOM_ONLY, freeze={"embeddings": False, "layers": 1})


def test_an_average_lies_between_start_and_end(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    start = start_weights(tiny_cross_encoder)
    ends = {
        share: weights(train(tmp_path, tiny_cross_encoder, f"a{share}", average_with_start=share)[1])
        for share in (0, 0.25, 1)
    }
    assert same(ends[1], start)
    for name, value in ends[0.25].items():
        np.testing.assert_allclose(value, 0.75 * ends[0][name] + 0.25 * start[name], atol=1e-6)
    assert changed(ends[0], start)


def test_a_curriculum_goes_on_from_a_model(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    _, first = train(tmp_path, tiny_cross_encoder, "first", negatives=RANDOM_ONLY)
    by_input = train(tmp_path, None, "second", models={"start": first.model_folder})[1]
    by_name = train(tmp_path, first.model_folder, "third")[1]
    assert same(weights(by_input), weights(by_name))
    assert by_input.facts["base_model"] == "first/model"
    assert "base_model: first/model" in (by_input.model_folder / "README.md").read_text()
    with pytest.raises(StageError, match="two models to start from"):
        train(tmp_path, first.model_folder, "fourth", models={"start": first.model_folder})


def test_minutes_end_a_training_with_its_learning_rate_decayed(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    log, context = train(tmp_path, tiny_cross_encoder, epochs=10_000, max_minutes=0.05, checkpoint_steps=100_000)
    rates = log.column("learning_rate").to_pylist()
    assert 5 < log.num_rows < 10_000
    assert (context.facts["steps"], context.facts["ended_by"]) == (log.num_rows, "minutes")
    assert 3 <= log.column("seconds")[-1].as_py() < 6
    assert max(rates) > 0.8e-3
    assert rates[-1] < 0.2e-3
    assert np.argmax(rates) < len(rates) / 2


def test_time_before_a_kill_counts(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    settings = {"epochs": 10_000, "max_minutes": 0.05}
    with pytest.raises(Killed):
        train(tmp_path, tiny_cross_encoder, stop_after=8, **settings)
    log, _ = train(tmp_path, tiny_cross_encoder, **settings)
    seconds = log.column("seconds").to_pylist()
    assert seconds == sorted(seconds)
    assert 3 <= seconds[-1] < 6


@pytest.mark.parametrize(("scheduler", "shape"), [("constant", 1.0), ("linear", 0.5), ("cosine", 0.5)])
def test_the_learning_rate_goes_as_asked(
    tmp_path: Path, tiny_cross_encoder: Path, scheduler: str, shape: float
) -> None:
    log, _ = train(
        tmp_path, tiny_cross_encoder, scheduler, lr_scheduler=scheduler, warmup_ratio=0, max_steps=20, max_groups=8
    )
    rates = np.array(log.column("learning_rate")) / 1e-3
    assert rates[0] == pytest.approx(1)
    assert rates[10] == pytest.approx(shape, abs=0.01)
    assert (rates[5] > 0.8) == (scheduler != "linear")


def test_the_gradients_length_is_logged(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    log, _ = train(tmp_path, tiny_cross_encoder, max_steps=3)
    assert all(norm > 0 for norm in log.column("grad_norm").to_pylist())


def test_tensorboard_gets_the_log(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log, _ = train(tmp_path, tiny_cross_encoder, log_to=["tensorboard"])
    events = EventAccumulator(str(tmp_path / "target" / "tensorboard" / "reranker"))
    events.Reload()
    assert [event.value for event in events.Scalars("train/loss")] == pytest.approx(log.column("loss").to_pylist())
    assert "train/scores/paper" in events.Tags()["scalars"]
