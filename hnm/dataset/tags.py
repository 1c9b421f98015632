"""Names for versions. Tags are Lance's own: small files beside the data, and cleaning up leaves what carries one."""

import re
from pathlib import Path
from typing import Any

from hnm.dataset.find import DatasetVersion, find, versions_of
from hnm.errors import WarehouseError, nearest
from hnm.warehouse.lance_manifests import damage_as_os_error, has_manifest, newest_readable
from hnm.warehouse.lance_table import is_readable, rebuild_hint
from hnm.warehouse.lance_tags import tags_of
from hnm.warehouse.warehouse import Warehouse

_NAME = re.compile(r"(?!.*\.\.)(?!.*(\.|\.lock)$)([A-Za-z_][A-Za-z0-9_.-]*|\d{4}-[A-Za-z0-9_.-]+)")
"""Without two dots in a row, which part two versions in SQL: `"triplets@v1..v2"`; and no end that Lance refuses."""

LONGEST = 100
"""Characters of a tag: it is the name of a file."""

_HINT = "`hnm gc` or `hnm dataset rm` may have removed it: see `hnm dataset log {}`"


def tag(warehouse: Warehouse, version: DatasetVersion, name: str, move: bool = False) -> None:
    """Call a version `name`. `move`: also when the name is another version's, which loses it.

    Raises WarehouseError when the name is taken or cannot be one, or the version is gone, DamagedTagError when a tag
    of the table cannot be read.
    """
    _check_name(warehouse, version.stage, name)
    before = tags_of(version.folder).get(name)
    if before == version.lance_version:
        return
    if before is not None and not move:
        raise WarehouseError(
            f"{version.stage}@{name} is version {before} already", hint="--force gives the name to the other version"
        )
    tags = _tags(version.folder)
    try:
        with damage_as_os_error():
            (tags.create if before is None else tags.update)(name, version.lance_version)
    except OSError as error:
        what = f"version {version.lance_version} of {version.stage} cannot be tagged"
        raise WarehouseError(what, why=str(error).splitlines()[0], hint=_mended_by(version)) from None
    # From here on no cleaning up takes the version. One that ran meanwhile may have: then no tag must point to nothing.
    if not is_readable(version.folder, version.lance_version):
        tags.delete(name) if before is None else tags.update(name, before)
        raise WarehouseError(f"{version.name} cannot be read, so it was not tagged", hint=_mended_by(version))


def untag(warehouse: Warehouse, stage: str, name: str) -> DatasetVersion:
    """Take a name away; the version stays until it is collected. Raises WarehouseError when there is no such tag."""
    known = versions_of(warehouse, stage)
    folder = known[0].folder
    if name not in tags_of(folder):
        names = sorted(name for version in known for name in version.tags)
        listed = f"its tags: {', '.join(names)}" if names else "it has none"
        raise WarehouseError(f"{stage} has no tag {name!r}", why=listed, hint=nearest(name, names))
    version = find(warehouse, stage, name)
    try:
        with damage_as_os_error():
            _tags(folder).delete(name)
    except OSError as error:
        what = f"{stage}@{name} cannot be untagged"
        raise WarehouseError(what, why=str(error).splitlines()[0], hint=_can_be_written(folder)) from None
    return version


def _mended_by(version: DatasetVersion) -> str:
    """A hint for a version that cannot be tagged."""
    if is_readable(version.folder, version.lance_version):
        return _can_be_written(version.folder)
    if version.lost or has_manifest(version.folder, version.lance_version):
        return rebuild_hint(version.stage if version.current else version.name)
    return _HINT.format(version.stage)


def _can_be_written(folder: Path) -> str:
    return f"can {folder} be written?"


def _check_name(warehouse: Warehouse, stage: str, name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > LONGEST:
        shown = name if len(name) <= LONGEST else f"{name[:LONGEST]}…"
        raise WarehouseError(
            f"{shown!r} cannot be a tag",
            why="a tag begins with a letter, or a year as in 2026-01-31; letters, digits, `_`, `-` and "
            f"single `.` within follow, {LONGEST} characters at most",
            hint="for example v1, prod or 2026-01-31",
        )
    if name in warehouse.state():
        raise WarehouseError(f"{name!r} cannot be a tag of {stage}", why="a stage is called so", hint="for example v1")


def _tags(folder: Path) -> Any:
    dataset = newest_readable(folder)
    if dataset is None:
        raise WarehouseError(f"the Lance table {folder.name} cannot be read", hint=rebuild_hint(folder.stem))
    return dataset.tags
