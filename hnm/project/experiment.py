"""What an entry of `stages` with `kind: experiment` stands for: its cells, and the stages that they are. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from hnm.errors import Location, ProjectError, nearest
from hnm.project.config import StageConfig
from hnm.project.experiment_config import Cells, ExperimentConfig, InterpolatedConfig, LevelConfig
from hnm.project.validate import validated
from hnm.project.variants import Declared, merged_places, with_inputs
from hnm.project.yaml_file import KeyPath, YamlFile

SEED = "seed"
"""The axis whose levels are repetitions of one recipe."""

FIRST_STAGE = "first_stage"
"""What `baselines` calls the first stage itself."""

LONGEST_NAME = 100


@dataclass(frozen=True)
class Level:
    """One level of an axis: its name, the value that stands in the file, what it changes, and where it stands."""

    name: str
    value: Any
    change: LevelConfig
    keys: KeyPath

    def is_meant_by(self, given: Any) -> bool:
        """Does `exclude` or `include` mean this level?"""
        wanted = given if isinstance(given, list) else [given]
        return self.name in wanted or self.value in wanted


@dataclass(frozen=True)
class System:
    """What is measured: a cell, a model as it is, or the first stage.

    `recipe`: of a cell, the level of the first axis, and of the others but the seed each that is not its axis's first;
    else the name. `stage`: the model stage of a cell. `measured`: by side, the stage with its measures by query.
    """

    name: str
    recipe: tuple[str, ...]
    measured: Mapping[str, str]
    seed: str | None = None
    stage: str | None = None


@dataclass(frozen=True)
class Experiment:
    """`sides`: from which it is measured. `stages`: all that it stands for; the one of its name holds its results."""

    name: str
    description: str
    sides: tuple[str, ...]
    systems: tuple[System, ...]
    baselines: tuple[str, ...]
    stages: tuple[Declared, ...]

    @property
    def cells(self) -> tuple[System, ...]:
        """Those that are trained."""
        return tuple(system for system in self.systems if system.stage)


def read_experiment(
    config: ExperimentConfig, axes: Mapping[str, Any], sides: Sequence[str], file: YamlFile, keys: KeyPath
) -> Experiment:
    """The experiment that stands at `keys` in `file`.

    `axes`: its matrix, lists with templates rendered. `sides`: those of `evaluate` that are enabled.

    Raises ProjectError with the place of what cannot be meant: an axis without levels, an unknown axis, level or
    baseline, a matrix without cells, names that are too long.
    """
    return _Reader(config, axes, sides, file, keys).read()


class _Reader:
    def __init__(
        self, config: ExperimentConfig, axes: Mapping[str, Any], sides: Sequence[str], file: YamlFile, keys: KeyPath
    ) -> None:
        self.config = config
        self.evaluate = {side: config.evaluate[side] for side in sides}
        mixed = {side: _interpolated(side) for side, evaluate in self.evaluate.items() if evaluate.interpolate}
        self.sides = tuple(name for side in sides for name in (side, mixed.get(side)) if name)
        self.file = file
        self.keys = keys
        self._places: dict[tuple[str, ...], YamlFile] = {}
        self.axes = {axis: tuple(self._levels(axis, levels)) for axis, levels in axes.items()}

    def read(self) -> Experiment:
        if not self.sides:
            raise ProjectError(f"{self.config.name}: no side of `evaluate` is enabled", where=self._place("evaluate"))
        self._check_levels()
        self._check_baselines()
        self._check_sides()
        first = self._measured(FIRST_STAGE, (FIRST_STAGE,))
        models = [self._measured(model, (model,)) for model in self.config.models]
        cells = [(self._system(cell), cell) for cell in self._cells()]
        systems = (first, *models, *(system for system, _ in cells))
        stages = list(self._evaluated(first))
        for system in models:
            stages += self._evaluated(system)
        for system, cell in cells:
            stages += [self._train(system, cell), *self._evaluated(system)]
        stages += [self._summary(systems), *self._scores(systems)]
        longest = max((stage.config.name for stage in stages), key=len)
        if len(longest) > LONGEST_NAME:
            raise ProjectError(
                f"the stage's name {longest!r} has {len(longest)} letters, more than {LONGEST_NAME}",
                where=self._place(),
                hint="give the experiment or its levels shorter names",
            )
        config = self.config
        return Experiment(config.name, config.description, self.sides, systems, config.baselines, tuple(stages))

    # The cells

    def _levels(self, axis: str, levels: Any) -> Iterator[Level]:
        keys: KeyPath = (*self.keys, "matrix", axis)
        if not isinstance(levels, dict | list) or not levels:
            what = f"the axis {axis!r} has no levels" if not levels else f"the axis {axis!r} is {levels!r}"
            hint = "write a list of values of the parameter of that name, or a mapping from levels to what they change"
            raise ProjectError(what, where=self.file.place(keys), hint=hint)
        if isinstance(levels, list):
            for index, value in enumerate(levels):
                yield Level(_level_name(axis, value), value, LevelConfig(params={axis: value}), (*keys, index))
            return
        for name, change in levels.items():
            if not re.fullmatch(r"\w+", name):
                what = f"{name!r} is no name of a level"
                raise ProjectError(what, where=self.file.place((*keys, name)), hint="letters, digits and _")
            yield Level(name, name, validated(LevelConfig, change or {}, self.file, (*keys, name)), (*keys, name))

    def _check_levels(self) -> None:
        """A level is named without its axis, so that no two may be called the same, nor what is compared as it is."""
        taken = {FIRST_STAGE: "the first stage", **dict.fromkeys(self.config.models, "one of `models`")}
        for axis, levels in self.axes.items():
            for level in levels:
                if level.name in taken:
                    what = f"the level {level.name!r} of the axis {axis!r} is named as {taken[level.name]}"
                    raise ProjectError(what, where=self.file.place(level.keys), hint="give it a name of its own")
                taken[level.name] = f"a level of {axis!r}"

    def _cells(self) -> list[tuple[Level, ...]]:
        """All wanted cells; seeds come last, so that what is built first compares all recipes by one seed."""
        outermost = sorted(self.axes, key=lambda axis: axis != SEED)
        every = [
            dict(zip(outermost, levels, strict=True)) for levels in product(*(self.axes[axis] for axis in outermost))
        ]
        left_out = [self._checked(entry, "exclude", index) for index, entry in enumerate(self.config.exclude)]
        added = [self._checked(entry, "include", index) for index, entry in enumerate(self.config.include)]
        cells = [
            tuple(cell[axis] for axis in self.axes)
            for cell in every
            if not any(_meets(cell, entry) for entry in left_out) or any(_meets(cell, entry) for entry in added)
        ]
        if not cells:
            raise ProjectError(f"{self.config.name}: `exclude` leaves no cell", where=self._place("exclude"))
        return cells

    def _checked(self, entry: Cells, key: str, index: int) -> Cells:
        for axis, given in entry.items():
            place = self._place(key, index, axis)
            if axis not in self.axes:
                hint = nearest(axis, self.axes) or f"axes: {', '.join(self.axes)}"
                raise ProjectError(f"{self.config.name} has no axis {axis!r}", where=place, hint=hint)
            if isinstance(self.config.matrix[axis], str):
                continue  # a template: which levels there are may depend on vars
            for value in given if isinstance(given, list) else [given]:
                if not any(level.is_meant_by(value) for level in self.axes[axis]):
                    names = [level.name for level in self.axes[axis]]
                    hint = nearest(str(value), names) or f"levels: {', '.join(names)}"
                    raise ProjectError(f"the axis {axis!r} has no level {value!r}", where=place, hint=hint)
        return entry

    def _check_baselines(self) -> None:
        recipes = next((levels for axis, levels in self.axes.items() if axis != SEED), ())
        known = (FIRST_STAGE, *self.config.models, *(level.name for level in recipes))
        for index, name in enumerate(self.config.baselines):
            if name not in known:
                hint = nearest(name, known) or f"baselines may be {', '.join(known)}"
                raise ProjectError(f"unknown baseline {name!r}", where=self._place("baselines", index), hint=hint)

    def _check_sides(self) -> None:
        for side, evaluate in self.evaluate.items():
            if self.sides.count(side) > 1:
                what = f"the side {side!r} is named as the interpolated one of another"
                raise ProjectError(what, where=self._place("evaluate", side), hint="give it a name of its own")
            mixed = evaluate.interpolate
            if mixed is None:
                continue
            for name in sorted({*mixed.inputs} ^ {*mixed.weights}):
                lacking = "weight" if name in mixed.inputs else "input"
                where = self._place("evaluate", side, "interpolate")
                raise ProjectError(f"{name!r} has no {lacking}", where=where, hint="every list needs a weight")

    # What is measured

    def _system(self, cell: Sequence[Level]) -> System:
        levels = dict(zip(self.axes, cell, strict=True))
        seed = levels.pop(SEED, None)
        recipe = tuple(
            level.name
            for index, (axis, level) in enumerate(levels.items())
            if index == 0 or level != self.axes[axis][0]
        )
        name = "__".join((*recipe, *([seed.name] if seed else [])))
        return self._measured(name, recipe or (name,), seed.name if seed else None, self._named(name))

    def _measured(
        self, name: str, recipe: tuple[str, ...], seed: str | None = None, stage: str | None = None
    ) -> System:
        measured = {side: self._named(name, f"{side}_measures") for side in self.sides}
        if name == FIRST_STAGE:  # nothing reranks it, so that there is nothing to mix its ranks with
            mixed = (side for side, evaluate in self.evaluate.items() if evaluate.interpolate)
            measured |= {_interpolated(side): measured[side] for side in mixed}
        return System(name, recipe, measured, seed, stage)

    # The stages

    def _named(self, *parts: str) -> str:
        return "__".join((self.config.name, *parts))

    def _place(self, *keys: str | int) -> Location:
        return self.file.place((*self.keys, *keys))

    def _stage(
        self, name: str, description: str, transform: str, inputs: dict[str, str], params: dict[str, Any]
    ) -> StageConfig:
        config = self.config
        tags = ("experiment", config.name, *config.tags)
        return StageConfig.model_construct(
            name=name,
            description=description,
            transform=transform,
            inputs=inputs,
            params=params,
            tags=tags,
            on_demand=True,
        )

    def _at(self, *keys: str) -> YamlFile:
        """Places for a stage whose inputs and parameters stand below `keys` of the experiment."""
        if keys not in self._places:
            below = merged_places((self.file, (*self.keys, *keys)))
            moved = {
                (part, *path): place for part in ("inputs", "params") for path, place in below.places.items() if path
            }
            self._places[keys] = YamlFile(below.path, None, below.places | moved)
        return self._places[keys]

    def _train(self, system: System, cell: Sequence[Level]) -> Declared:
        train, changes = self.config.train, [level.change for level in cell]
        params = dict(train.params)
        for change in changes:
            params |= change.params
        described = f"The model of {system.name.replace('__', ', ')}"
        name = str(system.stage)
        stage = self._stage(name, described, train.transform, with_inputs(train.inputs, *changes), params)
        places = merged_places(
            (self.file, (*self.keys, "train")), *((self.file, level.keys) for level in reversed(cell))
        )
        return Declared(stage, places, ())

    def _evaluated(self, system: System) -> Iterator[Declared]:
        """On each side: the lists that it ranks, unless it is the first stage itself, and their measures."""
        for side, evaluate in self.evaluate.items():
            if system.name == FIRST_STAGE:
                yield self._measures(system, side, side, evaluate.first_stage)
                continue
            reranked = self._rerank(system, side)
            yield reranked
            yield self._measures(system, side, side, f"ref({reranked.config.name})")
            if evaluate.interpolate:
                mixed = self._interpolate(system, side, evaluate.interpolate)
                yield mixed
                yield self._measures(system, side, _interpolated(side), f"ref({mixed.config.name})")

    def _measures(self, system: System, side: str, measured_as: str, runs: str) -> Declared:
        evaluate = self.evaluate[side]
        inputs = {"judgments": evaluate.judgments, "runs": runs}
        params = {"measures": evaluate.measures} if evaluate.measures else {}
        described = f"Each measure of {system.name} by query"
        stage = self._stage(system.measured[measured_as], described, "evaluate", inputs, params)
        return Declared(stage, self._at("evaluate", side), ())

    def _interpolate(self, system: System, side: str, interpolated: InterpolatedConfig) -> Declared:
        name, described = self._named(system.name, _interpolated(side)), f"The lists of {system.name}, ranks mixed in"
        reranked = {"reranked": f"ref({self._named(system.name, side)})", "texts": self.evaluate[side].texts}
        params = {"name": system.name, "weights": interpolated.weights}
        stage = self._stage(name, described, "interpolate", reranked | interpolated.inputs, params)
        return Declared(stage, self._at("evaluate", side, "interpolate"), ())

    def _rerank(self, system: System, side: str) -> Declared:
        evaluate = self.evaluate[side]
        inputs = {"first_stage": evaluate.first_stage, "texts": evaluate.texts}
        params = {"name": system.name, "depth": evaluate.depth, "max_length": evaluate.max_length}
        if system.stage:
            inputs["model"] = f"ref({system.stage})"
        else:
            params["model"] = self.config.models[system.name]
        name, described = self._named(system.name, side), f"The first stage reranked by {system.name}"
        return Declared(self._stage(name, described, "rerank", inputs, params), self._at("evaluate", side), ())

    def _summary(self, systems: Sequence[System]) -> Declared:
        inputs = {
            f"{system.name}__{side}": f"ref({measured})"
            for system in systems
            for side, measured in system.measured.items()
        }
        inputs |= {f"{system.name}__model": f"ref({system.stage})" for system in systems if system.stage}
        named = {system.name: {"recipe": system.recipe, "seed": system.seed} for system in systems}
        stage = self._stage(
            self.config.name,
            self.config.description or "The recipes of an experiment side by side",
            "summarize_experiment",
            inputs,
            {"systems": named, "sides": self.sides, "baselines": self.config.baselines},
        )
        return Declared(stage, self._at(), ())

    def _scores(self, systems: Sequence[System]) -> Iterator[Declared]:
        """Scores by class of the models as they are and of one training of each recipe."""
        scores = self.config.scores
        if scores is None:
            return
        trained: dict[tuple[str, ...], System] = {}
        for system in systems:
            if system.stage:
                trained.setdefault(system.recipe, system)
        inputs = {"triplets": scores.triplets}
        inputs |= {", ".join(recipe): f"ref({system.stage})" for recipe, system in trained.items()}
        params = scores.model_dump(exclude={"triplets"})
        params["models"] = self.config.models
        described = "Scores of positives and of each strategy's negatives, by model"
        stage = self._stage(self._named("scores"), described, "score_triplets", inputs, params)
        yield Declared(stage, self._at("scores"), ())


def _meets(cell: Mapping[str, Level], entry: Cells) -> bool:
    return all(cell[axis].is_meant_by(given) for axis, given in entry.items())


def _interpolated(side: str) -> str:
    return f"{side}_interpolated"


def _level_name(axis: str, value: Any) -> str:
    """Texts name themselves; a number alone would say nothing."""
    text = re.sub(r"\W", "_", str(value))
    return text if isinstance(value, str) else f"{axis}{text}"
