"""Small trainings that tests share: triplets that can be learned, and one call that trains on them."""

import gc
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors.numpy import load_file

import hnm.training.fit  # noqa: F401  # imports all that a training needs
from hnm.context import Context, Settings
from hnm.inputs import Inputs
from hnm.transforms.train_cross_encoder import TrainCrossEncoderParams, train_cross_encoder

COLUMNS = ("query_id", "positive_id", "negative_id", "query", "positive", "negative", "strategy", "weight")
SETTINGS = Settings(device="cpu", cores=1, precision="fp32")
RECIPE = [{"strategies": ["paper", "fill"], "per_group": 2}, {"strategies": ["random"], "per_group": 2}]
RANDOM_ONLY = [{"strategies": ["random"], "per_group": 4}]

# The trainer collects garbage before each training, and would look through all that was ever imported.
gc.collect()
gc.freeze()


def triplets(queries: int = 24) -> pa.Table:
    """The positive repeats its query's word; a mined negative shares its first letter; a random one shares nothing."""
    words = [f"{letter}{number}" for number in range(3) for letter in "abcdefgh"][:queries]
    rows = []
    for word in words:
        for i in range(4):
            rows.append((word, f"p-{word}", f"r-{word}-{i}", word, f"{word} {word}", f"z{i} y{i}", "random", 1.0))
            if i < 2:
                rows.append(
                    (word, f"p-{word}", f"m-{word}-{i}", word, f"{word} {word}", f"{word[0]}9{i}", "paper", 1.0)
                )
    return pa.Table.from_pylist([dict(zip(COLUMNS, row, strict=True)) for row in rows])


class Killed(BaseException):
    """Stands for a kill: nothing may catch it."""


def train(
    root: Path,
    start: Path | None,
    name: str = "reranker",
    stop_after: int | None = None,
    table: pa.Table | None = None,
    models: dict[str, Path] | None = None,
    tables: dict[str, pa.Table] | None = None,
    **params: Any,
) -> tuple[pa.Table, Context]:
    """The log and the context of a training in `root`/`name`; `start` None leaves the model to `models`."""
    defaults: dict[str, Any] = {
        "negatives": RECIPE,
        "groups_per_batch": 4,
        "learning_rate": 1e-3,
        "max_length": 32,
        "checkpoint_steps": 2 if stop_after else 1_000,
    }
    if start is not None:
        defaults["model"] = str(start)
    reporter = Counting(stop_after)
    context = Context(stage=name, root=root, workdir=root / name, settings=SETTINGS, reporter=reporter)
    inputs = Inputs.of(models, triplets=triplets() if table is None else table, **(tables or {}))
    batches = list(train_cross_encoder(inputs, TrainCrossEncoderParams(**(defaults | params)), context))
    assert reporter.steps == reporter.total
    return pa.Table.from_batches(batches), context


class Counting:
    """Counts steps, and "kills" the training after some."""

    def __init__(self, stop_after: int | None) -> None:
        self.steps = 0
        self.total: int | None = None
        self.notes: list[str] = []
        self._stop_after = stop_after

    def progress(self, description: str, total: int | None, unit: str) -> Any:
        self.total = total
        return nullcontext(self._advance)

    def _advance(self, count: int) -> None:
        self.steps += count
        if self._stop_after and self.steps >= self._stop_after:
            raise Killed

    def note(self, message: str) -> None:
        self.notes.append(message)


def weights(context: Context) -> dict[str, Any]:
    return load_file(context.model_folder / "model.safetensors")


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)
