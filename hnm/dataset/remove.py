"""Remove one version that nothing needs; `hnm gc` removes all of them."""

from hnm.dataset.find import DatasetVersion, find, versions_of
from hnm.engine.garbage import needed_versions
from hnm.errors import WarehouseError
from hnm.warehouse.lance_versions import only_version, remove_old_versions
from hnm.warehouse.lock import run_lock
from hnm.warehouse.warehouse import Warehouse


def remove(warehouse: Warehouse, version: DatasetVersion) -> None:
    """Remove the rows of a version; the record of it stays.

    Raises WarehouseError when it is current or tagged, or when what is built or a model that stays came from it;
    LockedError during a run.
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
        current = next((entry for entry in versions_of(warehouse, version.stage) if entry.current), None)
        remove_old_versions(only_version(found.folder, found.lance_version, current.lance_version if current else None))
