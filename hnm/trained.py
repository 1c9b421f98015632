"""The rerankers of a project: those that it trains, and those that it starts from, with what was measured of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.built_tables import reading
from hnm.engine.fingerprint import input_versions
from hnm.errors import SelectorError, nearest
from hnm.project.manifest import Call, Manifest, Node
from hnm.transforms.interpolate import RERANKED, InterpolateParams
from hnm.transforms.rerank import RerankParams
from hnm.warehouse.state import Materialization

if TYPE_CHECKING:
    from hnm.api import Project

EVALUATIONS, TEXTS = "evaluations", "texts"
MAX_LENGTH, BATCH_SIZE = 256, 32
SHOWN_NAMES = 8
"""An experiment has scores of models."""
CHOSEN_BY = ("nDCG@10", "RR@10")
"""The measure by which the best model is told from the others: the first that was taken."""


@dataclass(frozen=True)
class TrainedModel:
    """One stage that trains a reranker, as it is built.

    `version`: of the weights; `dataset_version`: of what it was trained on, by stage, or as `triplets@v1` where the
    stage named a version. `experiment`: whose cell it is.
    `measures`: of its lists in `evaluations`, by measure, where this very version is there; higher is better.
    """

    stage: str
    folder: Path
    built_at: str
    version: str
    dataset_version: Mapping[str, str]
    facts: Mapping[str, Any]
    experiment: str | None
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Reranker:
    """How to load a reranker: `stage`, the one that trains it, or `model`, a name in YAML. Tokens, pairs at once.

    `weights`: by retriever, how much its ranks count beside the scores; empty for a reranker alone.
    """

    name: str
    stage: str | None
    model: str | None
    max_length: int
    batch_size: int
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RerankStage:
    """A stage `rerank`: its name, parameters and inputs."""

    name: str
    params: RerankParams
    inputs: Mapping[str, str]


def usual_models(manifest: Manifest) -> list[str]:
    """The stages that train a model. What an experiment trains is many, and for `hnm compare`."""
    nodes = manifest.nodes.items()
    return [name for name, node in nodes if node.materialized == "model" and "experiment" not in node.config.tags]


def trained_models(project: "Project") -> list[TrainedModel]:
    """The built models of the project, the newest first."""
    state, nodes = project.state(), project.manifest.nodes
    built = [done for name, done in state.items() if done.materialized == "model" and name in nodes]
    if not built:
        return []
    measured = _measured(project)
    models = [_described(project, done, measured.get(_current_list(project, done, state), {})) for done in built]
    return sorted(models, key=lambda model: (model.built_at, model.stage), reverse=True)


def best_model(models: list[TrainedModel]) -> TrainedModel | None:
    """The one with the best evaluation, the newest where none was evaluated; cells of experiments come after others."""
    known = [model for model in models if model.experiment is None] or models
    for measure in CHOSEN_BY:
        evaluated = [model for model in known if measure in model.measures]
        if evaluated:
            return max(evaluated, key=lambda model: model.measures[measure])
    return known[0] if known else None


def rerankers(manifest: Manifest) -> dict[str, Reranker]:
    """By name: every stage that trains one, and every model that a stage `rerank` takes from elsewhere."""
    stages = rerank_stages(manifest)
    trained = {node.name: _trained(node, stages) for node in manifest.nodes.values() if node.materialized == "model"}
    others = {
        stage.params.name: Reranker(
            stage.params.name, None, stage.params.model, stage.params.max_length, stage.params.batch_size
        )
        for stage in stages
        if stage.params.model
    }
    return {**others, **trained}


def reranker(manifest: Manifest, name: str) -> Reranker:
    """The reranker of that name: a stage, or what a stage `rerank` or `interpolate` calls its result.

    Raises SelectorError.
    """
    known = rerankers(manifest)
    lists = _lists(manifest, known)
    found = known.get(name) or lists.get(name)
    if found is None:
        names = list(dict.fromkeys([*known, *lists]))
        usual = [other for other in names if not (other in manifest.nodes and manifest.nodes[other].config.on_demand)]
        hint = nearest(name, names) or f"rerankers: {', '.join(usual[:SHOWN_NAMES]) or 'none'}"
        raise SelectorError(f"there is no reranker {name!r}", hint=hint)
    return found


def rerank_stages(manifest: Manifest, model: str | None = None) -> list[RerankStage]:
    """The stages that rerank this project's own texts; those that use the model of stage `model` first."""
    found = [
        RerankStage(node.name, node.work.params, node.work.inputs)
        for node in manifest.nodes.values()
        if isinstance(node.work, Call) and node.work.transform.name == "rerank"
        if isinstance(node.work.params, RerankParams) and node.work.inputs["texts"] == TEXTS
    ]
    return sorted(found, key=lambda stage: stage.inputs.get("model") != model)


def _lists(manifest: Manifest, known: Mapping[str, Reranker]) -> dict[str, Reranker]:
    """What ranked the lists of this project's own texts, by what `rerank` and `interpolate` call their results."""
    by_stage = {
        stage.name: (stage.params.name, known[source])
        for stage in rerank_stages(manifest)
        if (source := stage.inputs.get("model", stage.params.name)) in known
    }
    lists = dict(by_stage.values())
    for node in manifest.nodes.values():
        if isinstance(node.work, Call) and isinstance(node.work.params, InterpolateParams):
            params, inputs = node.work.params, node.work.inputs
            if inputs.get(RERANKED) in by_stage:
                _, alone = by_stage[inputs[RERANKED]]
                weights = {_retriever(manifest, inputs.get(of, of)): weight for of, weight in params.weights.items()}
                lists[params.name] = replace(alone, name=params.name, weights=weights)
    return lists


def _retriever(manifest: Manifest, stage: str) -> str:
    """What the retriever of a stage is called; the stage's own name where it is none."""
    work = manifest.nodes[stage].work if stage in manifest.nodes else None
    return getattr(work.params, "retriever", stage) if isinstance(work, Call) else stage


def _trained(node: Node, stages: list[RerankStage]) -> Reranker:
    """Loaded as the stages that evaluate it do; as it was trained where none does."""
    used = next((stage.params for stage in stages if stage.inputs.get("model") == node.name), None)
    if used is None:
        params = node.work.params if isinstance(node.work, Call) else None
        return Reranker(node.name, node.name, None, getattr(params, "max_length", MAX_LENGTH), BATCH_SIZE)
    return Reranker(node.name, node.name, None, used.max_length, used.batch_size)


def _described(project: "Project", done: Materialization, measures: Mapping[str, float]) -> TrainedModel:
    named = done.facts.get("dataset", {})
    called = {named["data_version"]: named["name"]} if named else {}
    inputs = {called.get(value, name): value for name, value in input_versions(done.components).items()}
    folder = project.warehouse.model_path(done)
    experiments = project.manifest.experiments.values()
    own = next((one.name for one in experiments if any(cell.stage == done.stage for cell in one.cells)), None)
    return TrainedModel(done.stage, folder, done.built_at, done.data_version, inputs, done.facts, own, measures)


def _current_list(project: "Project", model: Materialization, state: Mapping[str, Materialization]) -> str:
    """What the list is called that this version of the model has ranked for `evaluations`; "" when there is none."""
    compared = project.graph.ancestors(EVALUATIONS) if EVALUATIONS in project.manifest.nodes else set()
    for stage in rerank_stages(project.manifest, model.stage):
        done = state.get(stage.name)
        if stage.name in compared and done and done.components.get(f"input {model.stage}") == model.data_version:
            return stage.params.name
    return ""


def _measured(project: "Project") -> dict[str, dict[str, float]]:
    """The values in `evaluations`, by system and measure."""
    query = f"select model, measure, value from {EVALUATIONS} where baseline is null order by model, split, measure"
    measured: dict[str, dict[str, float]] = {}
    with reading(project, [EVALUATIONS]) as tables:
        for row in tables.rows(EVALUATIONS, query):
            if row["value"] is not None:
                measured.setdefault(row["model"], {}).setdefault(row["measure"], float(row["value"]))
    return measured
