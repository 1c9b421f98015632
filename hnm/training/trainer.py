"""sentence-transformers' trainer, with hnm's objective, clock, validation, log and end."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sentence_transformers.cross_encoder import CrossEncoderTrainer
from sentence_transformers.cross_encoder.data_collator import CrossEncoderDataCollator
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hnm.errors import StageError
from hnm.training.best import Validator
from hnm.training.objective import Objective
from hnm.training.schedule import Clock, follow

LOST_BATCH = "lost_batch.json"


class GroupCollator(CrossEncoderDataCollator):
    """Hands the rows of the file of examples on as they are."""

    def __call__(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        """The rows under one name."""
        return {"groups": features}


class Trainer(CrossEncoderTrainer):
    """Trains an `Objective`. A step's row of the log says what hnm measured of it.

    Ends at `max_minutes`, with the learning rate where the schedule ends, and where the patience of validation does.
    """

    data_collator_class = GroupCollator

    def __init__(
        self,
        *,
        objective: Objective,
        validator: Validator | None,
        clock: Clock,
        max_minutes: float | None,
        workdir: Path,
        **arguments: Any,
    ) -> None:
        """`workdir`: where a batch is written that the training was lost at."""
        self._objective = objective
        self._validator = validator
        self._clock = clock
        self._max_minutes = max_minutes
        self._workdir = workdir
        super().__init__(loss=objective, **arguments)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Nothing: the library's statistics for a model card read all data, and hnm writes its own card."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Save a checkpoint's model without a card, which nobody reads there and takes longer than a small model."""
        self.model.save_pretrained(str(output_dir or self.args.output_dir), create_model_card=False)

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        """The objective's value for some groups."""
        value: Tensor = self._objective(inputs["groups"])
        return value

    def create_scheduler(self, num_training_steps: int, optimizer: Optimizer | None = None) -> LRScheduler:
        """The schedule by steps, or by time where there is a budget of minutes."""
        scheduler = super().create_scheduler(num_training_steps, optimizer)
        if self._max_minutes is not None and isinstance(scheduler, LambdaLR):
            follow(scheduler, num_training_steps, self._share_of_time)
        return scheduler

    @property
    def ended_by(self) -> str:
        """What ended the training: `steps` (all were done), `patience` or `minutes`."""
        if self.state.global_step >= self.state.max_steps:
            return "steps"
        return "patience" if self._is_out_of_patience() else "minutes"

    def begin(self) -> None:
        """Validate the start, unless the training goes on from a checkpoint."""
        if self._validator and not self.state.log_history:
            self.log({"validation": self._validator.validate(self.model, 0, [])})

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add to a step's row, validate where it is due, and end a training that is over.

        Raises StageError at a step whose loss or gradient is not a finite number.
        """
        out_of_time = self._share_of_time() >= 1  # asked once: a step that turns out to be the last is validated, too
        if "loss" in logs:
            self._refuse_lost(logs)
            logs = logs | self._objective.watch.row()
            is_last = out_of_time or self.state.global_step >= self.state.max_steps
            if self._validator and (self._validator.is_due(self.state.global_step) or is_last):
                logs["validation"] = self._validator.validate(
                    self.model, self.state.global_step, self.state.log_history
                )
        super().log(logs | {"seconds": self._clock.seconds}, start_time)
        if out_of_time or self._is_out_of_patience() or ("validation" in logs and self._share_of_time() >= 1):
            self.control.should_training_stop = True
        if "validation" in logs and self.state.global_step:
            self.control.should_save = True  # the log that names the best step, and its weights, are kept together

    def _is_out_of_patience(self) -> bool:
        return self._validator is not None and self._validator.is_over(self.state.log_history)

    def _share_of_time(self) -> float:
        return self._clock.seconds / (60 * self._max_minutes) if self._max_minutes else 0.0

    def _refuse_lost(self, logs: Mapping[str, float]) -> None:
        measured = {name: logs[name] for name in ("loss", "grad_norm")}
        if all(math.isfinite(value) for value in measured.values()):
            return
        path = self._workdir / LOST_BATCH
        groups = self._objective.watch.groups
        figures = {name: str(value) for name, value in (measured | self._objective.watch.row()).items()}
        batch = {"step": self.state.global_step, **figures, "groups": groups}
        path.write_text(json.dumps(batch, indent=2), encoding="utf-8")
        raise StageError(
            f"training lost its way at step {self.state.global_step}",
            why=f"the loss is {logs['loss']}, the gradient's norm {logs['grad_norm']}; the step's groups are in {path}",
            hint="lower learning_rate, raise warmup_ratio, or set precision: fp32",
        )


class Watch(TrainerCallback):
    """Starts the clock where it stood, shows progress, and removes what a checkpoint has made useless."""

    def __init__(self, clock: Clock, reach: Callable[[int], None], validator: Validator | None) -> None:
        """`reach` is told how many steps are done."""
        self._clock = clock
        self._reach = reach
        self._validator = validator
        self.trainer: Trainer | None = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Go on from a checkpoint's time and step."""
        self._clock.start(state.log_history[-1]["seconds"] if state.log_history else 0.0)
        self._reach(state.global_step)
        if self.trainer:
            self.trainer.begin()

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """A step is done."""
        self._reach(state.global_step)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """The checkpoint says which step was best so far."""
        if self._validator:
            self._validator.forget(state.log_history)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Complete the progress of a training that ended before its last step."""
        self._reach(state.max_steps)
