"""Transform: a reranker trained on triplets."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.context import Context, Settings
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.models.resolve import model_files, model_identity
from hnm.training.recipe import LossParams, TrainCrossEncoderParams
from hnm.transform import transform

if TYPE_CHECKING:
    import pyarrow as pa
    from sentence_transformers import CrossEncoder

    from hnm.training.examples import Examples
    from hnm.training.fit import Trained
    from hnm.training.groups import Share, Tally, Triplets
    from hnm.training.schedule import Schedule


def _identity(params: TrainCrossEncoderParams) -> dict[str, str]:
    return model_identity(params.model)


def _files(params: TrainCrossEncoderParams, root: Path) -> list[Path]:
    return model_files(params.model, root)


@transform(
    params=TrainCrossEncoderParams,
    inputs=("triplets",),
    optional_inputs=("start", "teacher", "validation", "texts", "judgments"),
    packages=("sentence-transformers", "transformers", "torch"),
    version_by=("step", "epoch", "loss", "learning_rate"),
    uses="all",
    produces="model",
    files=_files,
    identity=_identity,
)
def train_cross_encoder(
    inputs: Inputs, params: TrainCrossEncoderParams, context: Context
) -> Iterator["pa.RecordBatch"]:
    """Train a cross-encoder on groups of one positive and its negatives, and keep it as a sentence-transformers folder.

    Input: triplets(query_id, positive_id, negative_id, query, positive, negative, strategy, and optionally split and
    selected_rank), one row per negative.
    Optional inputs: `start`, a trained model to go on from instead of `params.model`; `teacher`(query_id, doc_id,
    score), higher is better, for losses that learn from one; `validation`(query_id, doc_id, rank) with `texts`(kind,
    id, text) and `judgments`(query_id, doc_id, grade, split), held-out lists by which the best step is chosen.
    Output: `context.model_folder`, a `CrossEncoder` with one output (a logit, higher is better) in safetensors with a
    model card; and the log, one row per optimizer step (see `hnm.training.log`).

    The same parameters, inputs, machine and settings give the same weights, unless the budget is minutes. After a
    kill, the next run goes on from the last checkpoint in the stage's work folder. Where memory runs out, fewer groups
    go through the model at once, a note says so, and the fact `groups_at_once` too. Memory: the model, its optimizer
    and one batch; examples are mapped from a file; the texts of the validation's lists.

    Raises StageError when there is nothing to train on, an input does not fit the loss, one group is too much for
    memory, or the loss stops being a number (naming the step, and a file with its groups); ModelError when the start
    cannot be had.
    """
    from hnm.models.device import choose_device, describe
    from hnm.training import loggers
    from hnm.training.fit import Task, fit
    from hnm.training.groups import Share, Tally, Triplets
    from hnm.training.log import log_batch
    from hnm.training.source import triplet_source
    from hnm.training.validation import read_validation

    settings = context.settings
    if params.precision != "auto":
        settings = replace(settings, precision=params.precision)
    loggers.require(params.log_to)
    shares = [Share(entry.strategies, entry.per_group) for entry in params.negatives]
    taught = any(entry.needs_teacher for entry in params.loss)
    for words in _unused(inputs, params, taught):
        context.note(f"{context.stage}: {words}")
    source = triplet_source(inputs, params.splits, params.weight_column, params.teacher_columns, taught)
    triplets = Triplets(inputs, source)
    for strategy in triplets.missing_strategies(shares):
        context.note(f"{context.stage}: no triplet has the strategy {strategy!r}")
    tally = Tally()
    examples = _examples(triplets, shares, params, context, tally)
    validation = read_validation(inputs, params.validation, params.max_length, params.seed)
    if validation and (both := triplets.count_queries(list(validation.judged))):
        context.note(
            f"{context.stage}: {both} of {len(validation.judged)} queries of the validation are trained on, too"
        )
    pairs = triplets.count_pairs(shares)  # before the training, which may leave little memory
    start, load = _start(inputs, params, context, settings)
    task = Task(load, examples, validation, params, context, settings)
    schedule = _schedule(params, choose_device(settings))
    with context.progress("training", schedule.steps(examples.rows), "steps") as advance:
        trained = fit(task, schedule, advance)
    if not any(row.learning_rate for row in trained.log):
        context.note(
            f"{context.stage}: the minutes were over before the learning rate rose above 0: nothing is learned"
        )
    facts = {
        "base_model": start,
        **_counted(tally, *pairs),
        "triplets_without_teacher": source.untaught,
        **_outcome(trained, params),
        "seed": params.seed,
        "runs_on": describe(settings),
        "training_data": examples.digest,
        "dataset": _dataset(inputs),
    }
    context.record(**facts)
    _save(trained.model, params, facts, context)
    yield log_batch(trained.log)


def _unused(inputs: Inputs, params: TrainCrossEncoderParams, taught: bool) -> Iterator[str]:
    """What was given and counts for nothing; recipes that differ in their loss may share it, so it is no error."""
    if not taught and ("teacher" in inputs or params.teacher_columns):
        yield "no loss learns from the teacher"
    given = [name for name in ("texts", "judgments") if name in inputs]
    given += ["settings"] if "validation" in params.model_fields_set else []
    if given and "validation" not in inputs:
        yield f"nothing is validated without the input `validation`, whatever its {' and '.join(given)}"


def _dataset(inputs: Inputs) -> dict[str, str]:
    """Which version of the triplets: as the stage names it, and by its digest. Empty where nothing published them."""
    origin = inputs.origin("triplets")
    return {"name": origin.name, "data_version": origin.version} if origin.name and origin.version else {}


def _examples(
    triplets: "Triplets", shares: "list[Share]", params: TrainCrossEncoderParams, context: Context, tally: "Tally"
) -> "Examples":
    from hnm.training.examples import write_examples

    context.workdir.mkdir(parents=True, exist_ok=True)
    chosen = triplets.groups(shares, params.max_groups, params.max_length, params.seed, tally)
    examples = write_examples(chosen, context.workdir / "examples.arrow")
    if not examples.rows:
        splits = " or ".join(params.splits) if params.splits else "any split"
        raise StageError(f"{context.stage}: there are no triplets of {splits} to train on")
    return examples


def _start(
    inputs: Inputs, params: TrainCrossEncoderParams, context: Context, settings: Settings
) -> "tuple[str, Callable[[], CrossEncoder]]":
    """What to call the start, and a function that loads it with what is frozen frozen."""
    from hnm.models.cross_encoder import load_cross_encoder, open_cross_encoder
    from hnm.training.freeze import freeze

    goes_on = "start" in inputs
    if goes_on and "model" in params.model_fields_set:
        raise StageError(
            f"{context.stage}: two models to start from",
            hint="give either the input `start` (a stage) or the parameter `model` (a name)",
        )

    def load() -> "CrossEncoder":
        if goes_on:
            model = open_cross_encoder(inputs.model("start"), settings, params.max_length)
        else:
            model = load_cross_encoder(params.model, context.root, settings, params.max_length, head_seed=params.seed)
        if params.freeze and params.freeze.embeddings:
            freeze(model, params.freeze.layers)
        return model

    return "/".join(inputs.model("start").parts[-2:]) if goes_on else params.model, load


def _schedule(params: TrainCrossEncoderParams, device: str) -> "Schedule":
    from hnm.training.schedule import Schedule

    in_batch = any(entry.traits.in_batch and not entry.traits.alone for entry in params.loss)
    few = device == "cpu" and not in_batch
    at_once = params.groups_at_once or (gcd(params.groups_per_batch, 2) if few else params.groups_per_batch)
    return Schedule(
        batch_size=params.groups_per_batch,
        at_once=at_once,
        whole=any(entry.traits.alone for entry in params.loss),
        epochs=params.epochs,
        max_steps=params.max_steps,
        max_minutes=params.max_minutes,
        learning_rate=params.learning_rate,
        lr_scheduler=params.lr_scheduler,
        warmup_ratio=params.warmup_ratio,
        weight_decay=params.weight_decay,
        seed=params.seed,
        checkpoint_steps=params.checkpoint_steps,
        gradient_checkpointing=params.gradient_checkpointing,
    )


def _counted(tally: "Tally", pairs_with_positive: int, usable: int) -> dict[str, Any]:
    return {
        "groups": tally.groups,
        "groups_available": usable,
        "groups_without_negatives": pairs_with_positive - usable,
        "groups_short_of_negatives": tally.short,
        "pairs": tally.pairs,
        "negatives": dict(sorted(tally.negatives.items())),
        "negatives_from_other_shares": tally.filled_from_other_shares,
    }


def _outcome(trained: "Trained", params: TrainCrossEncoderParams) -> dict[str, Any]:
    steps = [row for row in trained.log if row.loss is not None]
    weights = list(trained.model.parameters())
    outcome = {
        "frozen_weights": sum(weight.numel() for weight in weights if not weight.requires_grad),
        "groups_at_once": trained.at_once,
        "steps": len(steps),
        "ended_by": trained.ended_by,
        "seconds": round(trained.log[-1].seconds, 1),
        "last_loss": steps[-1].loss,
    }
    if trained.best_step is None:
        return outcome
    values = {row.step: row.validation for row in trained.log if row.validation is not None}
    validation = {"start": values[0], "published": values[trained.best_step], "last": list(values.values())[-1]}
    return outcome | {"best_step": trained.best_step, params.validation.measure: validation}


def _save(model: "CrossEncoder", params: TrainCrossEncoderParams, facts: dict[str, Any], context: Context) -> None:
    """Write the model folder: whole, or not under its name. Equal trainings give equal files, so no times are in it."""
    from hnm.models.quiet import quiet_libraries
    from hnm.training.model_card import model_card

    unfinished = context.workdir / "model.writing"
    shutil.rmtree(unfinished, ignore_errors=True)
    model.set_keep_in_fp32_modules([])  # hnm sets it when it loads a model; elsewhere it would surprise
    with quiet_libraries():
        model.save_pretrained(str(unfinished), create_model_card=False)
    plumbing = {"model", "negatives", "checkpoint_steps", "log_to", "validation"}
    recipe = params.model_dump(exclude=plumbing, exclude_none=True)
    recipe["loss"] = " + ".join(_described(entry) for entry in params.loss)
    recipe |= {name: fact for name, fact in facts.items() if name != "seconds"}
    recipe["wanted_negatives"] = {" or ".join(entry.strategies): entry.per_group for entry in params.negatives}
    card = model_card(context.stage, facts["base_model"], recipe)
    (unfinished / "README.md").write_text(card, encoding="utf-8")
    shutil.rmtree(context.model_folder, ignore_errors=True)
    unfinished.rename(context.model_folder)


def _described(entry: LossParams) -> str:
    """A loss with what was set of it, for example `bce (weight 0.5, pos_weight 4)`."""
    settings = entry.model_dump(exclude={"loss"}, exclude_defaults=True)
    said = ", ".join(f"{name} {value}" for name, value in settings.items())
    return f"{entry.loss} ({said})" if said else entry.loss
