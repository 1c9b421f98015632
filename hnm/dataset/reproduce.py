"""Build a version again, beside the warehouse, and see whether the same content comes out.

First everything that it was made from is compared with what is here now: code, parameters, vars, packages, files. Only
where all of that is equal is anything built. Sources and SQL stages always are. A Python stage that is published with
the very content that the record names is taken as it is, unless everything is asked for.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.dataset.find import DatasetVersion
from hnm.dataset.record import Record, read_record
from hnm.engine.fingerprint import differences, without_inputs
from hnm.engine.run import Invocation, execute
from hnm.errors import StageError, WarehouseError
from hnm.warehouse.lock import run_lock
from hnm.warehouse.state import SCHEMA, Materialization, write_materialization
from hnm.warehouse.warehouse import Warehouse, qualified

if TYPE_CHECKING:
    from hnm.api import Project
    from hnm.engine.run import Listener


@dataclass(frozen=True)
class Reproduction:
    """`differs`: by stage, what is not as the record says, in words; nothing was built then. `found`: the digest of
    what was built. `reused`: Python stages that were taken as they are published. `others`: stages above that came out
    with other content. `folder`: the warehouse that was built; it is gone when all was equal.
    """

    version: DatasetVersion
    differs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    found: str | None = None
    reused: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    folder: Path | None = None

    @property
    def equal(self) -> bool:
        return self.found == self.version.data_version


def reproduce(
    project: "Project",
    version: DatasetVersion,
    listener: "Listener",
    everything: bool = False,
    variables: Mapping[str, Any] | None = None,
) -> Reproduction:
    """Compare with the record of `version`, and build it again if nothing differs.

    Vars that SQL stages read are set as they were. `variables`: as given to `Project.load`. Raises WarehouseError when
    there is no record, StageError when a stage fails.
    """
    record = read_record(project.warehouse, version)
    if record is None:
        raise WarehouseError(f"nothing is known of how {version.name} was built", why="records were not kept then")
    built_from = _built_from(record)
    project = _with_recorded_vars(project, built_from, variables or {})
    differs = dict(_differences(project, record, built_from))
    if differs:
        return Reproduction(version, differs)
    folder = project.manifest.root / "target" / f"reproduce-{version.stage}"
    shutil.rmtree(folder, ignore_errors=True)
    digests = {entry.stage: entry.data_version for entry in record.ancestry}
    reused = () if everything else _reused(project, digests)
    aside = replace(project, manifest=replace(project.manifest, warehouse=folder))
    with run_lock(project.warehouse.folder, "hnm dataset reproduce"):
        _take_over(project.warehouse, aside.warehouse, [project.state()[name] for name in reused])
    plan = aside.plan([name for name in project.graph.order if name in built_from and name not in reused])
    run = execute(plan, aside.manifest, project.settings, listener, Invocation("dataset reproduce", fail_fast=True))
    failed = next((result for result in run.results if result.error), None)
    if failed and failed.error:
        raise StageError(f"{version.name} could not be built again", why=str(failed.error))
    state = aside.state()
    others = tuple(name for name in digests if state[name].data_version != digests[name])
    found = Reproduction(version, {}, state[version.stage].data_version, reused, others, folder)
    if not found.equal:
        return found
    shutil.rmtree(folder)
    return replace(found, folder=None)


def _built_from(record: Record) -> dict[str, Mapping[str, str]]:
    """Components of the stage and of all above it."""
    return {record.stage: record.components} | {entry.stage: entry.components for entry in record.ancestry}


def _with_recorded_vars(
    project: "Project", built_from: Mapping[str, Mapping[str, str]], given: Mapping[str, Any]
) -> "Project":
    """The project with each var as the version's SQL stages read it; those that stages read differently are left."""
    from hnm.api import Project

    recorded: dict[str, set[str]] = {}
    for components in built_from.values():
        for name, value in components.items():
            if name.startswith("var "):
                recorded.setdefault(name.removeprefix("var "), set()).add(value)
    now = {name: value for node in project.manifest.nodes.values() for name, value in node.vars_read.items()}
    variables: dict[str, Any] = {}
    for name, values in recorded.items():
        try:
            (known,) = (json.loads(value) for value in values)
        except ValueError:  # several, or the digest of a secret
            continue
        if now.get(name) != known:
            variables[name] = known
    if not variables:
        return project
    return Project.load(project.manifest.root, project.manifest.target, {**given, **variables})


def _differences(
    project: "Project", record: Record, built_from: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    survey = project.survey()
    seen: set[str] = set()
    for stage, components in built_from.items():
        if not components:
            yield stage, ("what it was built from is not known",)
        elif stage not in project.manifest.nodes:
            yield stage, ("is no longer in the project",)
        elif project.manifest.nodes[stage].pinned:
            pinned = ", ".join(project.manifest.nodes[stage].pinned)
            yield stage, (f"reads {pinned}: a version that is kept, and not built again",)
        else:
            changes = differences(without_inputs(components), survey.components(stage))
            if changes:
                yield stage, tuple(changes)
    for entry in record.ancestry:
        if entry.stage in seen:
            yield entry.stage, ("was read in two versions, which no single run makes",)
        seen.add(entry.stage)


def _reused(project: "Project", digests: Mapping[str, str]) -> tuple[str, ...]:
    """Python stages above that are published as the record has them."""
    state = project.state()
    return tuple(
        name
        for name, digest in digests.items()
        if project.manifest.nodes[name].kind == "python" and name in state and state[name].data_version == digest
    )


def _take_over(warehouse: Warehouse, aside: Warehouse, stages: list[Materialization]) -> None:
    """Put published stages into the warehouse aside. Files are linked where the disk can."""
    for location in {done.location for done in stages if done.location}:
        shutil.copytree(warehouse.folder / location, aside.folder / location, copy_function=_link)
    attached = {"published": warehouse.database.path}
    with warehouse.database.gate.reading(), aside.database.writing(attach=attached) as connection:
        connection.execute(SCHEMA)
        for done in stages:
            write_materialization(connection, done)
            if done.materialized != "lance":
                table = qualified(done.stage)
                connection.execute(f"create table {table} as select * from published.{table}")


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one that has no links
        shutil.copy2(source, target)
