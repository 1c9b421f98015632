"""`hnm gc`: list what no target that shares the warehouse needs, and remove it under the run's lock."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hnm.dataset.pinned import pinned_and_known
from hnm.engine.changes import tracked_names
from hnm.engine.fingerprint import fingerprint
from hnm.engine.garbage import Declared, Garbage, find_garbage, find_removed_stages
from hnm.engine.plan import complete
from hnm.engine.survey import Survey
from hnm.errors import ProjectError
from hnm.warehouse.lock import run_lock


@dataclass(frozen=True)
class Collection:
    """`garbage`: what can go, or went. `removed_stages`: built stages that the project no longer has."""

    garbage: tuple[Garbage, ...]
    removed_stages: tuple[Garbage, ...]


def look(surveys: Sequence[Survey], keep: int = 1) -> Collection:
    """What could be removed. `surveys`: of every target that shares one warehouse; `keep`: see `find_garbage`."""
    _refuse_nested(surveys)
    warehouse, known = surveys[0].warehouse, declared(surveys)
    return Collection(tuple(find_garbage(warehouse, known, keep)), tuple(find_removed_stages(warehouse, known)))


def collect(surveys: Sequence[Survey], keep: int = 1, removed_stages: bool = False) -> Collection:
    """Remove it; built stages that the project no longer has only with `removed_stages`.

    Killed at any point, it leaves the state as it was, and the next one goes on. Raises LockedError during a run.
    """
    warehouse = surveys[0].warehouse
    with run_lock(warehouse.folder, "hnm gc"):
        gone = look(surveys, keep).removed_stages if removed_stages else ()
        for stage in gone:
            stage.remove()
        found = look(surveys, keep)  # the files of those stages are garbage by now, and counted there
        for item in found.garbage:
            item.remove()
    return Collection(found.garbage, tuple(replace(stage, size=None) for stage in gone) or found.removed_stages)


def declared(surveys: Sequence[Survey]) -> Declared:
    """What the targets of these surveys declare together."""
    nodes = [node for survey in surveys for node in survey.manifest.nodes.values()]
    return Declared(
        stages=frozenset(node.name for node in nodes),
        remembered=frozenset(f"{node.name} {given}" for node in nodes for given in tracked_names(node)),
        pinned=tuple(pinned_and_known(nodes, surveys[0].warehouse).values()),
        fingerprints=lambda stage: {value for survey in surveys for value in _fingerprints(survey, stage)},
    )


def _fingerprints(survey: Survey, stage: str) -> list[str]:
    """The fingerprint under which the stage would be built from the present inputs, if it can be."""
    node = survey.manifest.nodes.get(stage)
    if node is None:
        return []
    state = survey.state | pinned_and_known([node], survey.warehouse)
    if any(reference not in state for reference in node.reads):
        return []
    return [fingerprint(complete(node, survey.components(stage), state))]


def _refuse_nested(surveys: Sequence[Survey]) -> None:
    """Another target's warehouse among the files of this one would look like garbage."""
    manifest = surveys[0].manifest
    for name, target in manifest.config.targets.items():
        other = (manifest.root / target.warehouse).resolve()
        if any(other.is_relative_to(manifest.warehouse / part) for part in ("lance", "models", "work")):
            raise ProjectError(
                f"the warehouse of target {name!r} lies among the files of target {manifest.target!r}",
                hint="give it a folder of its own",
            )
