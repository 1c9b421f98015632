"""Copies of a part of the graph with other settings, as `variants:` declares them. Pure."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from hnm.errors import Location, ProjectError, nearest
from hnm.project.config import SettingsOfStage, StageConfig, VariantConfig
from hnm.project.experiment_config import LevelConfig
from hnm.project.yaml_file import KeyPath, YamlFile


@dataclass(frozen=True)
class Declared:
    """A stage and where it stands: at `keys` in `file`. `renamed`: for a copy, the copies of all that was copied with
    it, which it reads.
    """

    config: StageConfig
    file: YamlFile
    keys: KeyPath
    renamed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Copies:
    """The stages that a variant adds. `renamed`: each original's name to its copy's."""

    stages: tuple[Declared, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)


def copies(
    variant: VariantConfig,
    file: YamlFile,
    keys: KeyPath,
    declared: Mapping[str, Declared],
    depends_on: Mapping[str, Iterable[str]],
    disabled: Container[str] = (),
) -> Copies:
    """The copies that `variant` makes of the stages between those it sets and `upto`.

    `keys`: where it stands in `file`. `declared`: all stages. `depends_on`: what each of them reads.
    `disabled`: stages that do not exist because of that.
    Raises ProjectError for a stage that does not exist, and for one whose settings `upto` would never see.
    """
    _refuse_unknown(variant.upto, declared, disabled, file.place((*keys, "upto")))
    above = _reached([variant.upto], depends_on)
    for name in variant.set:
        place = file.place((*keys, "set", name))
        _refuse_unknown(name, declared, disabled, place)
        if name not in above:
            raise ProjectError(
                f"the variant {variant.name!r} sets {name!r}, but {variant.upto!r} is not built from it",
                where=place,
                hint="name in `upto` a stage that is",
            )
    below = _reached(variant.set, _turned(depends_on))
    renamed = {name: copy_name(name, variant.name) for name in declared if name in above & below}
    stages = []
    for name in renamed:
        origin = declared[name]
        places = merged_places((origin.file, origin.keys), (file, keys), (file, (*keys, "set", name)))
        settings = variant.set.get(name, SettingsOfStage())
        stages.append(Declared(_copy(origin.config, variant, settings), places, (), renamed))
    return Copies(tuple(stages), renamed)


def refuse_unread_vars(variant: VariantConfig, stage: str, read: Iterable[str], where: Location) -> None:
    """A var that a SQL stage does not read would make the copy the same as its original: ProjectError."""
    known = list(read)
    for name in variant.set[stage].vars:
        if name not in known:
            hint = nearest(name, known) or f"it reads {', '.join(known) or 'none'}"
            what = f"{copy_name(stage, variant.name)} does not read the var {name!r}"
            raise ProjectError(what, where=where, hint=hint)


def copy_name(stage: str, variant: str) -> str:
    """What the copy of a stage is called."""
    return f"{stage}__{variant}"


def with_inputs(inputs: Mapping[str, str], *changes: LevelConfig) -> dict[str, str]:
    """The inputs after one change after the other; null takes one away."""
    every: dict[str, str | None] = dict(inputs)
    for change in changes:
        every |= change.inputs
    return {name: text for name, text in every.items() if text is not None}


def merged_places(*origins: tuple[YamlFile, KeyPath]) -> YamlFile:
    """The places of a mapping that was merged from several, the last one before the others."""
    file, keys = origins[-1]
    places: dict[KeyPath, Location] = {(): file.place(keys)}
    for origin, start in origins:
        depth = len(start)
        places |= {path[depth:]: place for path, place in origin.places.items() if path[:depth] == start}
    return YamlFile(file.path, None, places)


def _copy(stage: StageConfig, variant: VariantConfig, settings: SettingsOfStage) -> StageConfig:
    """A copy is built in full each time: queries for touched keys name the originals, and inputs may be others."""
    update = {
        "name": copy_name(stage.name, variant.name),
        "description": " · ".join(filter(None, (stage.description, variant.description))),
        "params": stage.params | settings.params,
        "vars": stage.vars | settings.vars,
        "inputs": with_inputs(stage.inputs, settings),
        "incremental": None,
        "on_demand": True,
        "tags": ("variant", variant.name),
    }
    return stage.model_copy(update=update)


def _refuse_unknown(name: str, declared: Mapping[str, Declared], disabled: Container[str], place: Location) -> None:
    if name in disabled:
        hint = f"enable {name}, or take the variant out"
        raise ProjectError(f"a variant names the stage {name!r}, which is disabled", where=place, hint=hint)
    if name not in declared:
        hint = nearest(name, declared) or "`hnm ls` lists all stages"
        raise ProjectError(f"a variant names the unknown stage {name!r}", where=place, hint=hint)


def _turned(edges: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    turned: dict[str, list[str]] = {}
    for child, parents in edges.items():
        for parent in parents:
            turned.setdefault(parent, []).append(child)
    return turned


def _reached(starts: Iterable[str], edges: Mapping[str, Iterable[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += edges.get(name, ())
    return found
