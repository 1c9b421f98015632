"""Train a cross-encoder with sentence-transformers' trainer: resumable, quiet, watched, within memory."""

import json
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from datasets import Dataset
from sentence_transformers import CrossEncoder
from sentence_transformers.cross_encoder import CrossEncoderTrainingArguments
from transformers import PrinterCallback

from hnm.context import Advance, Context, Settings
from hnm.models.device import choose_device, limit_threads, uses_bf16
from hnm.models.quiet import quiet_libraries
from hnm.training import loggers
from hnm.training.average import Weights, copy_trainable, mix
from hnm.training.best import Validator, best_step
from hnm.training.examples import Examples
from hnm.training.log import LogRow
from hnm.training.memory import fewer, free_memory, is_out_of_memory
from hnm.training.objective import Objective
from hnm.training.recipe import TrainCrossEncoderParams
from hnm.training.schedule import TRAINER_NAMES, Clock, Schedule
from hnm.training.trainer import Trainer, Watch
from hnm.training.validation import Validation

PLAIN_ATTENTION_TOKENS = 128
"""Up to this length, plain attention trains 1.4 times as fast as the fused kernel under bf16 on a processor, because
the kernel's backward pass is slow; from twice this length on, it is slower and takes more memory."""

_STATE = "trainer_state.json"


@dataclass(frozen=True)
class Task:
    """What is trained on, how, and where. `load` gives the start anew, with what is frozen frozen."""

    load: Callable[[], CrossEncoder]
    examples: Examples
    validation: Validation | None
    params: TrainCrossEncoderParams
    context: Context
    settings: Settings


@dataclass(frozen=True)
class Trained:
    """`best_step`: whose weights the model has, None without validation. `at_once`: groups, as memory allowed.

    `ended_by`: `steps`, `minutes` or `patience`.
    """

    model: CrossEncoder
    log: list[LogRow]
    best_step: int | None
    at_once: int
    ended_by: str


def fit(task: Task, schedule: Schedule, advance: Advance) -> Trained:
    """Train; `advance` is called with steps as they are done.

    A checkpoint is kept in the work folder every `checkpoint_steps` and after each validation; where one is found,
    training goes on from there, to the same weights as without the interruption. Same seed, data, machine and settings
    give the same weights, unless minutes are the budget. Where memory runs out, training goes on from the last
    checkpoint with fewer groups at once, whose gradients are added up.
    Raises StageError at the first step whose loss is not a finite number, and when one group is too much for memory.
    """
    limit_threads(task.settings)
    done = 0

    def reach(step: int) -> None:
        nonlocal done
        advance(max(0, step - done))
        done = max(done, step)

    while True:
        try:
            return _attempt(task, schedule, reach)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            words = (str(error) or type(error).__name__).splitlines()[0]
        # Outside the handler, or the error would still hold the batch.
        at_once = fewer(schedule.at_once, schedule.batch_size, words)
        free_memory()
        task.context.note(f"{task.context.stage}: out of memory with {schedule.at_once} groups at once, now {at_once}")
        schedule = replace(schedule, at_once=at_once)


def _attempt(task: Task, schedule: Schedule, reach: Callable[[int], None]) -> Trained:
    model, params, workdir = task.load(), task.params, task.context.workdir
    checkpoints = workdir / "checkpoints"
    start = copy_trainable(model) if params.average_with_start else {}
    validator = _validator(task, start)
    clock = Clock()
    watch = Watch(clock, reach, validator)
    pairs = schedule.at_once * (1 + sum(entry.per_group for entry in params.negatives))
    if schedule.gradient_checkpointing:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # sentence-transformers calls it by its old name
            model.gradient_checkpointing_enable({"use_reentrant": False})
    with quiet_libraries(), _fast_attention(model, task.settings):
        trainer = Trainer(
            objective=Objective(model, params.loss, pairs, weighted=params.weight_column is not None),
            validator=validator,
            clock=clock,
            max_minutes=schedule.max_minutes,
            workdir=workdir,
            model=model,
            args=_arguments(task, schedule, checkpoints),
            train_dataset=Dataset.from_file(str(task.examples.path)),
            callbacks=[watch, *loggers.callbacks(params.log_to, _board(task.context))],
        )
        watch.trainer = trainer
        trainer.remove_callback(PrinterCallback)
        trainer.train(resume_from_checkpoint=_last_checkpoint(checkpoints))
    history = trainer.state.log_history
    if validator:
        validator.restore_best(model, history)
    else:
        mix(model, start, params.average_with_start)
    log = [LogRow.of(row) for row in history if "loss" in row or "validation" in row]
    return Trained(model, log, best_step(history), schedule.at_once, trainer.ended_by)


def _validator(task: Task, start: Weights) -> Validator | None:
    if task.validation is None:
        return None
    folder = task.context.workdir / "best"
    return Validator(
        task.validation, task.params.validation, start, task.params.average_with_start, folder, task.settings
    )


def _board(context: Context) -> Path:
    return context.root / "target" / "tensorboard" / context.stage


def _arguments(task: Task, schedule: Schedule, checkpoints: Path) -> CrossEncoderTrainingArguments:
    device = choose_device(task.settings)
    return CrossEncoderTrainingArguments(
        output_dir=str(checkpoints),
        run_name=task.context.stage,
        per_device_train_batch_size=schedule.groups_per_loss,
        gradient_accumulation_steps=schedule.batch_size // schedule.groups_per_loss,
        num_train_epochs=schedule.epochs,
        max_steps=schedule.max_steps or -1,
        learning_rate=schedule.learning_rate,
        lr_scheduler_type=TRAINER_NAMES[schedule.lr_scheduler],
        warmup_steps=schedule.warmup(task.examples.rows),
        weight_decay=schedule.weight_decay,
        seed=schedule.seed,
        bf16=uses_bf16(task.settings),
        use_cpu=device == "cpu",
        dataloader_pin_memory=device != "cpu",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_steps=schedule.checkpoint_steps,
        save_total_limit=1,
        report_to=loggers.by_report(task.params.log_to) or "none",
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


def _last_checkpoint(folder: Path) -> str | None:
    """The newest whole checkpoint; broken ones go. The trainer's state is the last file that a checkpoint gets."""
    whole = []
    for path in folder.glob("checkpoint-*"):
        try:
            whole.append((json.loads((path / _STATE).read_text(encoding="utf-8"))["global_step"], path))
        except (OSError, ValueError):
            shutil.rmtree(path)
    return str(max(whole)[1]) if whole else None
