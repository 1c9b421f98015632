"""Remove one version that nothing needs; `hnm gc` removes all of them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hnm.dataset.find import DatasetVersion, find, versions_of
from hnm.dataset.pinned import pinned_and_known
from hnm.engine.garbage import needed_versions
from hnm.errors import WarehouseError
from hnm.warehouse.lance_manifests import damage_as_os_error, set_aside
from hnm.warehouse.lance_table import is_readable
from hnm.warehouse.lance_versions import only_version, remove_old_versions
from hnm.warehouse.lock import run_lock
from hnm.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from hnm.project.manifest import Node


def remove(warehouse: Warehouse, version: DatasetVersion, nodes: Iterable["Node"] = ()) -> None:
    """Remove the rows of a version; the record of it stays. `nodes`: of the project, which may be pinned to it.

    Raises WarehouseError when it is current or tagged, when a node is pinned to it, or when what is built or a model
    that stays came from it, or when another version is damaged; LockedError during a run.
    """
    with run_lock(warehouse.folder, "hnm dataset rm"):
        found = find(warehouse, version.stage, str(version.lance_version))
        location = found.folder.relative_to(warehouse.folder).as_posix()
        if found.tags:
            raise WarehouseError(
                f"{found.name} is tagged: {', '.join(found.tags)}",
                hint=f"`hnm dataset untag {found.stage}@{found.tags[0]}` takes the name away",
            )
        if found.current:
            raise WarehouseError(f"{found.name} is the current version of {found.stage}", hint="restore another first")
        if found.lance_version in needed_versions(warehouse, location):
            raise WarehouseError(
                f"{found.name} is still needed",
                why="what is built, or a model, was made from it",
                hint="`hnm gc` removes it when nothing needs it any more",
            )
        for reference, done in pinned_and_known(nodes, warehouse).items():
            if (done.stage, done.lance_version) == (found.stage, found.lance_version):
                what = f"{found.name} is an input of a stage, as {reference}"
                raise WarehouseError(what, hint=f"`hnm ls --json` lists what is pinned to {reference}")
        current = next((entry for entry in versions_of(warehouse, version.stage) if entry.current), None)
        _remove(found, current.lance_version if current else None)


def _remove(version: DatasetVersion, named: int | None) -> None:
    """`named`: the version that the state names, if any."""
    folder, number = version.folder, version.lance_version
    try:
        if not is_readable(folder, number):
            set_aside(folder, number)
            return
        with damage_as_os_error():
            remove_old_versions(only_version(folder, number, named))
    except OSError as error:
        raise WarehouseError(
            f"{version.name} cannot be removed",
            why=str(error).splitlines()[0],
            hint=f"if `hnm dataset log {version.stage}` shows another version as damaged, remove that one first",
        ) from None
