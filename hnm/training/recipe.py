"""What a project says about a training. Read while a project is parsed, so nothing heavy is imported here."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from hnm.evaluation.measures import canonical
from hnm.transform import Params

LossName = Literal[
    "cross_entropy",
    "bce",
    "multiple_negatives_ranking",
    "cached_multiple_negatives_ranking",
    "margin",
    "lambda",
    "list_net",
    "rank_net",
    "plist_mle",
    "margin_mse",
    "mse",
]


@dataclass(frozen=True)
class Traits:
    """What a loss takes. `settings`: of `LossParams`. `teaches`: it copies a teacher's scores, always.

    `in_batch`: it makes negatives of the other groups that go through the model with a group. `alone`: it runs the
    model in a way of its own, so that no other loss can share its scores.
    """

    settings: frozenset[str] = frozenset()
    teaches: bool = False
    in_batch: bool = False
    alone: bool = False


_TARGETS = frozenset({"labels"})
_IN_BATCH = frozenset({"scale", "in_batch_negatives"})

LOSSES: dict[LossName, Traits] = {
    "cross_entropy": Traits(),
    "bce": Traits(frozenset({"pos_weight"})),
    "multiple_negatives_ranking": Traits(_IN_BATCH, in_batch=True),
    "cached_multiple_negatives_ranking": Traits(_IN_BATCH, in_batch=True, alone=True),
    "margin": Traits(frozenset({"margin"})),
    "lambda": Traits(frozenset({"k"})),
    "list_net": Traits(_TARGETS),
    "rank_net": Traits(_TARGETS | {"k"}),
    "plist_mle": Traits(_TARGETS),
    "margin_mse": Traits(frozenset({"teacher_scale"}), teaches=True),
    "mse": Traits(frozenset({"teacher_scale"}), teaches=True),
}


class LossParams(Params):
    """One loss; of several, the sum of `weight` times each is trained.

    `pos_weight` (bce): how much a positive counts beside a negative. `margin` (margin): by how much the positive's
    score should lie above a negative's. `scale` and `in_batch_negatives` (both multiple negatives rankings): the factor
    of the scores after a sigmoid, and how many of the other groups' documents each query gets as negatives, drawn.
    `k` (lambda, rank_net): only pairs with a document in the model's first k count; null for all.
    `labels` (list_net, rank_net, plist_mle): `judged`, 1 for the positive and 0 for the others, or `teacher`, the
    teacher's scores. `teacher_scale` (margin_mse, mse): the teacher's scores times this are what is learned.
    """

    loss: LossName
    weight: float = Field(default=1.0, gt=0)
    pos_weight: float = Field(default=1.0, gt=0)
    margin: float = Field(default=1.0, gt=0)
    scale: float = Field(default=10.0, gt=0)
    in_batch_negatives: int = Field(default=4, ge=1)
    k: int | None = Field(default=None, ge=1)
    labels: Literal["judged", "teacher"] = "judged"
    teacher_scale: float = Field(default=1.0, gt=0)

    @property
    def traits(self) -> Traits:
        return LOSSES[self.loss]

    @property
    def needs_teacher(self) -> bool:
        return self.traits.teaches or self.labels == "teacher"

    @model_validator(mode="after")
    def _own_settings(self) -> "LossParams":
        foreign = sorted(self.model_fields_set - {"loss", "weight"} - self.traits.settings)
        if foreign:
            known = ", ".join(sorted(self.traits.settings)) or "none"
            raise ValueError(f"{self.loss} has no setting {foreign[0]!r}; its settings: {known}")
        return self


class NegativesParams(Params):
    """`per_group` negatives of each group come from these strategies: of the first, then of the next for what it lacks.

    Where a strategy has more for a group than are wanted, they are taken by `selected_rank`; without such a column, by
    a draw that only the ids and the seed decide.
    """

    strategies: tuple[str, ...] = Field(min_length=1)
    per_group: int = Field(ge=1)


class FreezeParams(Params):
    """Leave the embeddings and the lowest `layers` encoder layers as they are, which saves their share of the time."""

    embeddings: bool = True
    layers: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _from_below(self) -> "FreezeParams":
        if self.layers and not self.embeddings:
            raise ValueError(
                "freezing layers above embeddings that are trained would save nothing: set embeddings to true"
            )
        return self


class TeacherColumnsParams(Params):
    """Columns of the triplets with a teacher's score of the positive and of the negative.

    `distances`: lower is better there, and the sign is turned.
    """

    positive: str = Field(min_length=1)
    negative: str = Field(min_length=1)
    distances: bool = False


class ValidationParams(Params):
    """How a training with the inputs `validation`, `texts` and `judgments` is validated.

    `every`: steps between validations; the start and the last step are validated too. `measure`: as ir-measures writes
    it; its mean over the queries chooses the step whose weights are kept. `queries`: at most so many, drawn by their
    ids and the seed; null for all. `depth`: documents of each list that are scored. `splits`: of the judgments; null
    for all. `patience`: end the training after so many validations without a better one; null never does.
    """

    every: int = Field(default=100, ge=1)
    measure: str = "RR@10"
    queries: int | None = Field(default=200, ge=1)
    depth: int = Field(default=30, ge=1)
    splits: tuple[str, ...] | None = ("dev",)
    patience: int | None = Field(default=None, ge=1)

    @field_validator("measure")
    @classmethod
    def _known(cls, name: str) -> str:
        return canonical([name])[0]


class TrainCrossEncoderParams(Params):
    """How a reranker is trained; a group is one query, its positive, and its negatives.

    `model`: the start: a bundled model, a folder relative to the project, or a hub's model. A bi-encoder gets a fresh,
    seeded head. Left out when the stage has an input `start`, a model stage to go on from.
    `freeze`: see `FreezeParams`; null trains everything.
    `average_with_start`: share of the start's weights in the saved model (WiSE-FT, arXiv 2109.01903).
    `negatives`: see `NegativesParams`; what one entry lacks for a group is taken from the others.
    `loss`: a name of `LOSSES`, or one or several `LossParams`. The default, `cross_entropy`, is softmax cross-entropy
    over each group's scores (localized contrastive estimation, Gao, Dai and Callan, ECIR 2021).
    `teacher_columns`: where the teacher's scores stand, unless the stage has an input `teacher`.
    `weight_column`: a column of the triplets by which a group's loss is multiplied; that of its first row.
    `splits`: whose triplets are used, where triplets have a split; null for all.
    `max_groups`: the budget; which groups are taken depends on their ids and `seed` alone, so that recipes with other
    negatives are compared on the same groups. `max_steps`: stop there instead of after `epochs`.
    `max_minutes`: stop then in any case; the learning rate follows the time, so that it has decayed by the end.
    `groups_per_batch`: groups per optimizer step, of which `groups_at_once` go through the model together: more of them
    take more memory (two of five pairs of 256 tokens: 1.6 GB). Null: two on a processor, where more are no faster, all
    elsewhere, and all for a loss with in-batch negatives.
    `max_length`: tokens of query and document together. `precision`: `auto` is what the target's settings say.
    `gradient_checkpointing`: compute activations again instead of keeping them: less memory, a third more time.
    `validation`: see `ValidationParams`; it counts when the stage has the input `validation`.
    `log_to`: loggers that also get the log.
    """

    model: str = Field(default="reranker_en", min_length=1)
    freeze: FreezeParams | None = None
    average_with_start: float = Field(default=0.0, ge=0, le=1)
    negatives: tuple[NegativesParams, ...] = Field(min_length=1)
    loss: tuple[LossParams, ...] = Field(default=(LossParams(loss="cross_entropy"),), min_length=1)
    teacher_columns: TeacherColumnsParams | None = None
    weight_column: str | None = Field(default=None, min_length=1)
    splits: tuple[str, ...] | None = ("train",)
    max_groups: int | None = Field(default=None, ge=1)
    epochs: int = Field(default=1, ge=1)
    max_steps: int | None = Field(default=None, ge=1)
    max_minutes: float | None = Field(default=None, gt=0)
    groups_per_batch: int = Field(default=8, ge=1)
    groups_at_once: int | None = Field(default=None, ge=1)
    learning_rate: float = Field(default=2e-5, gt=0)
    lr_scheduler: Literal["linear", "cosine", "constant"] = "linear"
    warmup_ratio: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0)
    max_length: int = Field(default=256, ge=8)
    seed: int = Field(default=0, ge=0, lt=2**32)
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    gradient_checkpointing: bool = False
    checkpoint_steps: int = Field(default=100, ge=1)
    validation: ValidationParams = ValidationParams()
    log_to: tuple[Literal["tensorboard", "mlflow", "wandb", "trackio"], ...] = ()

    @field_validator("loss", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        """`bce`, `{loss: bce, pos_weight: 4}` and `[{loss: bce, pos_weight: 4}]` are all losses."""
        entries = value if isinstance(value, list | tuple) else [value]
        return [{"loss": entry} if isinstance(entry, str) else entry for entry in entries]

    @model_validator(mode="after")
    def _whole_parts(self) -> "TrainCrossEncoderParams":
        if self.groups_per_batch % (self.groups_at_once or 1):
            raise ValueError(
                f"groups_per_batch {self.groups_per_batch} is no multiple of groups_at_once {self.groups_at_once}"
            )
        return self

    @model_validator(mode="after")
    def _losses_agree(self) -> "TrainCrossEncoderParams":
        names = [entry.loss for entry in self.loss]
        if len(set(names)) < len(names):
            raise ValueError(f"a loss stands twice in {', '.join(names)}")
        for entry in self.loss:
            if entry.traits.alone and len(names) > 1:
                raise ValueError(
                    f"{entry.loss} cannot be combined: it runs the model twice, in parts that no other loss sees; "
                    "combine multiple_negatives_ranking instead"
                )
            if entry.traits.in_batch and self.weight_column:
                raise ValueError(f"{entry.loss} takes no weight_column: its groups are not scored one by one")
        return self
