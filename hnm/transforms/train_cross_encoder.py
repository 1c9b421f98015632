"""Transform: a reranker trained on triplets."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.models.resolve import model_files, model_identity
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa
    from sentence_transformers import CrossEncoder

    from hnm.training.fit import LogRow, Schedule
    from hnm.training.groups import Share, Tally


class NegativesParams(Params):
    """`per_group` negatives of each group come from these strategies: of the first, then of the next for what it lacks.

    Where a strategy has more for a group than are wanted, they are taken by `selected_rank`; without such a column, by
    a draw that only the ids and the seed decide.
    """

    strategies: tuple[str, ...] = Field(min_length=1)
    per_group: int = Field(ge=1)


class TrainCrossEncoderParams(Params):
    """How a reranker is trained; a group is one query, its positive, and its negatives.

    `model`: the start: a bundled model, a folder relative to the project, or a hub's model. A bi-encoder gets a fresh,
    seeded head. `negatives`: see `NegativesParams`; what one entry lacks for a group is taken from the others.
    `loss`: `cross_entropy`, softmax cross-entropy over each group's scores (localized contrastive estimation, Gao, Dai
    and Callan, ECIR 2021), or `bce`, binary cross-entropy over its pairs.
    `splits`: whose triplets are used, where triplets have a split; null for all.
    `max_groups`: the budget; which groups are taken depends on their ids and `seed` alone, so that recipes with other
    negatives are compared on the same groups. `max_steps`: stop there instead of after `epochs`.
    `groups_per_batch`: groups per optimizer step, of which `groups_at_once` go through the model together: more of them
    take more memory (two of five pairs of 256 tokens: 1.6 GB). Null: two on a processor, where more are no faster, all
    elsewhere.
    `max_length`: tokens of query and document together. `precision`: `auto` is what the target's settings say.
    """

    model: str = Field(default="reranker_en", min_length=1)
    negatives: tuple[NegativesParams, ...] = Field(min_length=1)
    loss: Literal["cross_entropy", "bce"] = "cross_entropy"
    splits: tuple[str, ...] | None = ("train",)
    max_groups: int | None = Field(default=None, ge=1)
    epochs: int = Field(default=1, ge=1)
    max_steps: int | None = Field(default=None, ge=1)
    groups_per_batch: int = Field(default=8, ge=1)
    groups_at_once: int | None = Field(default=None, ge=1)
    learning_rate: float = Field(default=2e-5, gt=0)
    warmup_ratio: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0)
    max_length: int = Field(default=256, ge=8)
    seed: int = Field(default=0, ge=0)
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    checkpoint_steps: int = Field(default=100, ge=1)

    @model_validator(mode="after")
    def _whole_parts(self) -> "TrainCrossEncoderParams":
        if self.groups_per_batch % (self.groups_at_once or 1):
            raise ValueError(
                f"groups_per_batch {self.groups_per_batch} is no multiple of groups_at_once {self.groups_at_once}"
            )
        return self


def _identity(params: TrainCrossEncoderParams) -> dict[str, str]:
    return model_identity(params.model)


def _files(params: TrainCrossEncoderParams, root: Path) -> list[Path]:
    return model_files(params.model, root)


@transform(
    params=TrainCrossEncoderParams,
    inputs=("triplets",),
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
    Output: `context.model_folder`, a `CrossEncoder` with one output (a logit, higher is better) in safetensors with a
    model card; and the log (step, epoch, loss, learning_rate, seconds), one row per optimizer step.

    The same parameters, triplets, machine and settings give the same weights. After a kill, the next run goes on from
    the last checkpoint in the stage's work folder. Memory: the model, its optimizer and one batch; examples are mapped
    from a file.

    Raises StageError when there is nothing to train on or the loss stops being a number (naming the step), ModelError
    when the start cannot be had.
    """
    from hnm.models.cross_encoder import load_cross_encoder
    from hnm.models.device import choose_device, describe
    from hnm.training.examples import write_examples
    from hnm.training.fit import fit
    from hnm.training.groups import Share, Tally, Triplets

    settings = context.settings
    if params.precision != "auto":
        settings = replace(settings, precision=params.precision)
    shares = [Share(entry.strategies, entry.per_group) for entry in params.negatives]
    triplets = Triplets(inputs, params.splits)
    for strategy in triplets.missing_strategies(shares):
        context.note(f"{context.stage}: no triplet has the strategy {strategy!r}")
    context.workdir.mkdir(parents=True, exist_ok=True)
    tally = Tally()
    chosen = triplets.groups(shares, params.max_groups, params.max_length, params.seed, tally)
    examples = write_examples(chosen, params.loss, context.workdir / "examples.arrow")
    if not examples.rows:
        splits = " or ".join(params.splits) if params.splits else "any split"
        raise StageError(f"{context.stage}: there are no triplets of {splits} to train on")

    schedule = _schedule(params, shares, choose_device(settings))
    model = load_cross_encoder(params.model, context.root, settings, params.max_length, head_seed=params.seed)
    with context.progress("training", schedule.steps(examples.rows), "steps") as advance:
        log = fit(model, examples, schedule, context.workdir / "checkpoints", settings, advance)
    facts = {
        "base_model": params.model,
        **_counted(tally, *triplets.count_pairs(shares)),
        "steps": len(log),
        "seconds": round(log[-1].seconds, 1),
        "seed": params.seed,
        "runs_on": describe(settings),
        "training_data": examples.digest,
        "last_loss": log[-1].loss,
    }
    context.record(**facts)
    _save(model, params, facts, context)
    yield _log_batch(log)


def _schedule(params: TrainCrossEncoderParams, shares: "list[Share]", device: str) -> "Schedule":
    from hnm.training.fit import Schedule

    at_once = params.groups_at_once or (gcd(params.groups_per_batch, 2) if device == "cpu" else params.groups_per_batch)
    per_group = 1 + sum(share.per_group for share in shares) if params.loss == "bce" else 1
    return Schedule(
        loss=params.loss,
        batch_size=params.groups_per_batch * per_group,
        at_once=at_once * per_group,
        epochs=params.epochs,
        max_steps=params.max_steps,
        learning_rate=params.learning_rate,
        warmup_ratio=params.warmup_ratio,
        weight_decay=params.weight_decay,
        seed=params.seed,
        checkpoint_steps=params.checkpoint_steps,
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


def _save(model: "CrossEncoder", params: TrainCrossEncoderParams, facts: dict[str, Any], context: Context) -> None:
    """Write the model folder: whole, or not under its name. Equal trainings give equal files, so no times are in it."""
    from hnm.models.quiet import quiet_libraries
    from hnm.training.model_card import model_card

    unfinished = context.workdir / "model.writing"
    shutil.rmtree(unfinished, ignore_errors=True)
    model.set_keep_in_fp32_modules([])  # hnm sets it when it loads a model; elsewhere it would surprise
    with quiet_libraries():
        model.save_pretrained(str(unfinished), create_model_card=False)
    recipe = params.model_dump(exclude={"model", "negatives", "checkpoint_steps"}, exclude_none=True)
    recipe |= {name: fact for name, fact in facts.items() if name != "seconds"}
    recipe["wanted_negatives"] = {" or ".join(entry.strategies): entry.per_group for entry in params.negatives}
    card = model_card(context.stage, params.model, recipe)
    (unfinished / "README.md").write_text(card, encoding="utf-8")
    shutil.rmtree(context.model_folder, ignore_errors=True)
    unfinished.rename(context.model_folder)


def _log_batch(log: "list[LogRow]") -> "pa.RecordBatch":
    import pyarrow as pa

    return pa.record_batch(
        {
            "step": pa.array([row.step for row in log], pa.int32()),
            "epoch": pa.array([row.epoch for row in log], pa.float64()),
            "loss": pa.array([row.loss for row in log], pa.float64()),
            "learning_rate": pa.array([row.learning_rate for row in log], pa.float64()),
            "seconds": pa.array([row.seconds for row in log], pa.float64()),
        }
    )
