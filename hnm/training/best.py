"""Early stopping, and the weights of the step that validated best."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder

from hnm.context import Settings
from hnm.training.average import Weights, copy_trainable, mixed, restore
from hnm.training.recipe import ValidationParams
from hnm.training.validation import Validation

History = Sequence[Mapping[str, Any]]
"""The trainer's log, which its checkpoints keep: a row with `validation` for every step that was validated."""


class Validator:
    """Validates a model in training and keeps its best weights, mixed with the start's as they would be published.

    Which step is best is read from the log, so that a training that goes on from a checkpoint agrees with its log.
    """

    def __init__(
        self,
        validation: Validation,
        params: ValidationParams,
        start: Weights,
        share: float,
        folder: Path,
        settings: Settings,
    ) -> None:
        """`share` of the weights is `start`'s. `folder`: where the best weights are kept."""
        self._validation = validation
        self._params = params
        self._start = start
        self._share = share
        self._folder = folder
        self._settings = settings

    def is_due(self, step: int) -> bool:
        """Whether the step is one of those to validate."""
        return step % self._params.every == 0

    def validate(self, model: CrossEncoder, step: int, history: History) -> float:
        """The model's value after `step`; its weights are written if no earlier step was as good."""
        with mixed(model, self._start, self._share):
            value = self._validation.value(model, self._settings)
            if value > max((row["validation"] for row in _validated(history)), default=float("-inf")):
                self._folder.mkdir(parents=True, exist_ok=True)
                unfinished = self._path(step).with_suffix(".writing")
                save_file({name: weight.contiguous() for name, weight in copy_trainable(model).items()}, unfinished)
                unfinished.replace(self._path(step))
        return value

    def is_over(self, history: History) -> bool:
        """Whether the last `patience` validations brought nothing better."""
        validated = _validated(history)
        best = best_step(history)
        since = [row for row in validated if best is not None and row["step"] > best]
        return self._params.patience is not None and len(since) >= self._params.patience

    def forget(self, history: History) -> None:
        """Remove the weights of all steps but the best; only once a checkpoint holds the log that says which it is."""
        for path in self._folder.glob("*"):
            if path != self._path(best_step(history) or 0):
                path.unlink()

    def restore_best(self, model: CrossEncoder, history: History) -> None:
        """Give the model the weights of the best step."""
        restore(model, load_file(self._path(best_step(history) or 0)))

    def _path(self, step: int) -> Path:
        return self._folder / f"step-{step}.safetensors"


def best_step(history: History) -> int | None:
    """The first step with the highest value, 0 for the start; None when nothing was validated."""
    validated = _validated(history)
    return max(validated, key=lambda row: (row["validation"], -row["step"]))["step"] if validated else None


def _validated(history: History) -> list[Mapping[str, Any]]:
    return [row for row in history if "validation" in row]
