"""What may stand in an entry of `stages` with `kind: experiment`."""

from typing import Annotated, Any, Literal

from pydantic import Field

from hnm.project.config_base import Config, Name


class LevelConfig(Config):
    """What one level of an experiment's axis changes in the training; all else stays."""

    params: Annotated[dict[str, Any], Field(description="parameters of the transform that differ")] = {}
    inputs: Annotated[
        dict[str, str | None], Field(description="inputs of the transform that differ; null takes an input away")
    ] = {}


class TrainConfig(Config):
    """What all cells of an experiment share."""

    transform: Annotated[str, Field(description="the transform that trains")] = "train_cross_encoder"
    inputs: Annotated[dict[str, str], Field(description="its inputs")]
    params: Annotated[dict[str, Any], Field(description="its parameters")] = {}


class InterpolatedConfig(Config):
    """By which retrievers' ranks the reranked lists of a side are ordered once more, as `interpolate` does."""

    inputs: Annotated[dict[Name, str], Field(min_length=1, description="`ref(stage)` of a retriever's lists, by name")]
    weights: Annotated[dict[Name, float | str], Field(description="by that name, how much the rank in them counts")]


class EvaluateConfig(Config):
    """One side from which every cell of an experiment is measured: by reranking the same lists."""

    enabled: Annotated[bool | str, Field(description="false or a template that is false: this side is left out")] = True
    first_stage: Annotated[str, Field(description="`ref(stage)`: the lists that are reranked; a system of their own")]
    texts: Annotated[str, Field(description="`ref(stage)`: the texts of queries and documents")]
    judgments: Annotated[str, Field(description="`ref(stage)`: the true judgments")]
    depth: Annotated[int | str, Field(description="documents of each list that are reranked")] = 50
    max_length: Annotated[int | str, Field(description="tokens of query and document together, in reranking")] = 256
    measures: Annotated[
        tuple[str, ...] | None, Field(description="in the notation of ir-measures; null: as `evaluate` has them")
    ] = None
    interpolate: Annotated[
        InterpolatedConfig | None,
        Field(description="makes a second side `SIDE_interpolated`: the same lists, retrievers' ranks mixed in"),
    ] = None


class ScoresConfig(Config):
    """Whose scores are compared by class, before and after training: positives, and each strategy's negatives."""

    triplets: Annotated[str, Field(description="`ref(stage)`: the triplets")]
    strategies: Annotated[tuple[str, ...] | None, Field(description="whose negatives are scored; null for all")] = None
    splits: Annotated[tuple[str, ...], Field(description="splits that no model was trained on")] = ("dev",)
    groups: Annotated[int | str, Field(description="pairs of query and positive that are scored")] = 100
    max_length: Annotated[int | str, Field(description="tokens of query and document together")] = 256


Cells = dict[str, Any]
"""Cells by axis: one level or a list of them; an axis that is not named means all of its levels."""


class ExperimentConfig(Config):
    """A matrix of trainings, all else equal. Every cell is a stage of its own."""

    kind: Annotated[Literal["experiment"], Field(description="`experiment`")]
    name: Annotated[Name, Field(description="the name of the table of results, and how all its stages begin")]
    description: Annotated[str, Field(description="the question")] = ""
    enabled: Annotated[bool | str, Field(description="false or a template that is false: it does not exist")] = True
    tags: Annotated[tuple[str, ...], Field(description="for `tag:`, beside `experiment` and its name")] = ()
    train: Annotated[TrainConfig, Field(description="what all cells share")]
    matrix: Annotated[
        dict[Name, dict[str, Any] | list[Any] | str],
        Field(
            min_length=1,
            description="by axis: its levels with what each changes, or a list of values of the parameter of that name",
        ),
    ]
    exclude: Annotated[tuple[Cells, ...], Field(description="cells to leave out, by axis: a level or a list")] = ()
    include: Annotated[tuple[Cells, ...], Field(description="cells to add again after `exclude`, written alike")] = ()
    models: Annotated[dict[Name, str], Field(description="models that are compared as they are, by name")] = {}
    evaluate: Annotated[
        dict[Name, EvaluateConfig],
        Field(min_length=1, description="what each cell is measured on, such as home and away"),
    ]
    baselines: Annotated[
        tuple[str, ...],
        Field(description="what all are tested against: levels of the first axis, models, `first_stage`"),
    ] = ()
    scores: Annotated[ScoresConfig | None, Field(description="makes the table `NAME__scores`")] = None
