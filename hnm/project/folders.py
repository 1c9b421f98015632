"""Folders that a project names: all of them lie inside it."""

import re
from collections.abc import Iterable
from pathlib import Path

from hnm.errors import Location, ProjectError

# DuckDB takes what follows `?` for options and `\` for a separator, and refuses line breaks.
_NOT_IN_PATHS = re.compile(r"[?\\\x00-\x1f]")


def inside(root: Path, folder: str, where: Location) -> Path:
    """A folder of the project; what lies outside the project is refused."""
    path = (root / folder).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ProjectError(f"{folder!r} lies outside the project", where=where, hint="name a folder inside the project")
    return path


def warehouse_folder(root: Path, folder: str, where: Location, own: Iterable[Path]) -> Path:
    """The warehouse of a target. Raises ProjectError where `own` folders lie in it, or DuckDB cannot use its path."""
    path = inside(root, folder, where)
    if any(other.is_relative_to(path) for other in (root, *own)):
        what = f"the warehouse {folder!r} holds the project's own files"
        raise ProjectError(what, where=where, hint="give it a folder of its own, such as data/warehouse")
    if found := _NOT_IN_PATHS.search(str(path)):
        raise ProjectError(
            f"a warehouse cannot lie in {str(path)!r}",
            where=where,
            why=f"DuckDB reads no files whose path holds {found[0]!r}",
            hint="rename that folder",
        )
    return path
