"""Train a cross-encoder with sentence-transformers' trainer: resumable, quiet, watched."""

import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from sentence_transformers import CrossEncoder
from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss, ListNetLoss
from transformers import PrinterCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hnm.context import Advance, Settings
from hnm.errors import StageError
from hnm.models.device import choose_device, limit_threads, uses_bf16
from hnm.models.quiet import quiet_libraries
from hnm.training.examples import Examples, LossName

PLAIN_ATTENTION_TOKENS = 128
"""Up to this length, plain attention trains 1.4 times as fast as the fused kernel under bf16 on a processor, because
the kernel's backward pass is slow; from twice this length on, it is slower and takes more memory."""

_STATE = "trainer_state.json"


@dataclass(frozen=True)
class Schedule:
    """How to train. `max_steps` overrides `epochs`.

    `batch_size`: examples (groups or pairs) per optimizer step, of which `at_once` go through the model together; the
    gradients of the parts are added up.
    """

    loss: LossName
    batch_size: int
    at_once: int
    epochs: int
    max_steps: int | None
    learning_rate: float
    warmup_ratio: float
    weight_decay: float
    seed: int
    checkpoint_steps: int

    def steps(self, examples: int) -> int:
        """Optimizer steps for so many examples."""
        return self.max_steps or self.epochs * math.ceil(examples / self.batch_size)


@dataclass(frozen=True)
class LogRow:
    """One optimizer step. `learning_rate` is that of the step; `seconds` count from the start of training."""

    step: int
    epoch: float
    loss: float
    learning_rate: float
    seconds: float

    @classmethod
    def of(cls, logged: Mapping[str, float]) -> "LogRow":
        """From a row of the trainer's log."""
        times = {"epoch": logged["epoch"], "seconds": logged["seconds"]}
        return cls(step=int(logged["step"]), loss=logged["loss"], learning_rate=logged["learning_rate"], **times)


def fit(
    model: CrossEncoder, examples: Examples, schedule: Schedule, checkpoints: Path, settings: Settings, advance: Advance
) -> list[LogRow]:
    """Train `model` in place and give one log row per step; `advance` is called with steps as they are done.

    A checkpoint is kept in `checkpoints` every `checkpoint_steps`; where one is found, training goes on from there, to
    the same weights as without the interruption. Same seed, data, machine and settings give the same weights.
    Raises StageError at the first step whose loss is not a finite number.
    """
    limit_threads(settings)
    # One forward pass whatever the groups' sizes: to ListNet, a mini batch size of -1 means that.
    loss = ListNetLoss(model, mini_batch_size=-1) if schedule.loss == "cross_entropy" else BinaryCrossEntropyLoss(model)
    with quiet_libraries(), _fast_attention(model, settings):
        trainer = _Trainer(
            model=model,
            args=_arguments(schedule, checkpoints, settings),
            train_dataset=Dataset.from_file(str(examples.path)),
            loss=loss,
            callbacks=[_Watch(advance)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train(resume_from_checkpoint=_last_checkpoint(checkpoints))
    return [LogRow.of(row) for row in trainer.state.log_history if "loss" in row]


def _arguments(schedule: Schedule, checkpoints: Path, settings: Settings) -> CrossEncoderTrainingArguments:
    device = choose_device(settings)
    return CrossEncoderTrainingArguments(
        output_dir=str(checkpoints),
        per_device_train_batch_size=schedule.at_once,
        gradient_accumulation_steps=schedule.batch_size // schedule.at_once,
        num_train_epochs=schedule.epochs,
        max_steps=schedule.max_steps or -1,
        learning_rate=schedule.learning_rate,
        warmup_steps=schedule.warmup_ratio,
        weight_decay=schedule.weight_decay,
        seed=schedule.seed,
        bf16=uses_bf16(settings),
        use_cpu=device == "cpu",
        dataloader_pin_memory=device != "cpu",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_steps=schedule.checkpoint_steps,
        save_total_limit=1,
        report_to="none",
        disable_tqdm=True,
    )


@contextmanager
def _fast_attention(model: CrossEncoder, settings: Settings) -> Iterator[None]:
    """Plain attention during a training for which it is the faster one."""
    transformer = model.transformers_model
    short = (model.max_seq_length or sys.maxsize) <= PLAIN_ATTENTION_TOKENS
    if transformer is None or not (short and uses_bf16(settings) and choose_device(settings) == "cpu"):
        yield
        return
    before = transformer.config._attn_implementation  # there is no public name for it
    transformer.set_attn_implementation("eager")
    try:
        yield
    finally:
        transformer.set_attn_implementation(before)


class _Trainer(CrossEncoderTrainer):
    """The trainer without the library's statistics for a model card, which read all data; hnm writes its own."""

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        pass


class _Watch(TrainerCallback):
    """Shows progress, adds the time to the log, and stops a training whose loss is lost."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance
        self._started = time.monotonic()

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        earlier = state.log_history[-1]["seconds"] if state.log_history else 0.0
        self._started = time.monotonic() - earlier
        self._advance(state.global_step)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        row = state.log_history[-1]
        row["seconds"] = time.monotonic() - self._started
        if "loss" not in row:
            return
        self._advance(1)
        if not math.isfinite(row["loss"]) or not math.isfinite(row.get("grad_norm", 0.0)):
            raise StageError(
                f"training lost its way at step {state.global_step}",
                why=f"the loss is {row['loss']}, the gradient's norm {row.get('grad_norm')}",
                hint="lower learning_rate, raise warmup_ratio, or set precision: fp32",
            )


def _last_checkpoint(folder: Path) -> str | None:
    """The newest whole checkpoint; broken ones go. The trainer's state is the last file that a checkpoint gets."""
    whole = []
    for path in folder.glob("checkpoint-*"):
        try:
            whole.append((json.loads((path / _STATE).read_text(encoding="utf-8"))["global_step"], path))
        except (OSError, ValueError):
            shutil.rmtree(path)
    return str(max(whole)[1]) if whole else None
