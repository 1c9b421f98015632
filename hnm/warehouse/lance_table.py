"""Lance tables of the warehouse: every build is a new version of the same dataset, and the state names the version."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.errors import Location, WarehouseError
from hnm.warehouse.lance_manifests import DAMAGED, manifest_files, open_dataset, set_damaged_aside
from hnm.warehouse.lance_numbers import NEW, write_beyond
from hnm.warehouse.lance_tags import read_tags

if TYPE_CHECKING:
    import pyarrow as pa


_FOLDERS = ("data", "_versions", "_transactions", DAMAGED, NEW)
SCANNED: Any = {"batch_size_bytes": 16 * 2**20, "batch_readahead": 2, "io_buffer_size": 128 * 2**20}
"""How a table is scanned by whoever does not say otherwise, as DuckDB. By itself Lance reads sixteen batches of 8,192
rows ahead, however wide they are, and holds up to 2 GB of what it has read and not decoded."""


def write_version(path: Path, rows: "pa.RecordBatchReader", published: int = 0) -> int:
    """Write all rows as a new version of the dataset at `path` (made when absent) and return the version's number.

    Where its newest version is damaged, that is set aside. No number is given again that is up to `published`, or that
    a damaged version had or a tag names. Raises WarehouseError when a file stands where a folder has to be.
    """
    import lance

    _refuse_files(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    taken = max(published, set_damaged_aside(path), *read_tags(path).versions.values())
    newest = max(manifest_files(path), default=0)
    if newest < taken:
        return write_beyond(path, rows, taken)
    mode = "overwrite" if newest else "create"
    return int(lance.write_dataset(rows, str(path), mode=mode).version)


def _refuse_files(path: Path) -> None:
    for folder in (path.parent, path, *(path / part for part in _FOLDERS)):
        if folder.exists() and not folder.is_dir():
            raise WarehouseError(
                f"the Lance table {path.stem} cannot be written: {folder.name} is in the way",
                where=Location(folder),
                why="a file stands where a folder has to be",
                hint="move it away, then `hnm run` again",
            )


def open_version(path: Path, version: int, name: str | None = None) -> Any:
    """The dataset at one version. Raises WarehouseError when it was removed or damaged.

    `name`: what the version is called, as in `triplets@v1`, when it is not the current one.
    """
    try:
        return open_dataset(path, version, default_scan_options=SCANNED)
    except OSError as error:
        raise WarehouseError(
            f"the Lance table {path.name} has no readable version {version}",
            why=str(error).splitlines()[0],
            hint=rebuild_hint(name or path.stem),
        ) from None


def unreadable_stream(words: str) -> str | None:
    """The name under which DuckDB knows the Lance table that it could not read, if that is what an error says."""
    found = re.search(r"stream registered as '(.+?)' failed", words)
    return found[1] if found else None


def rebuild_hint(stage: str) -> str:
    """What to do when a stage's Lance table, or a version of it such as `triplets@v1`, is damaged."""
    if "@" in stage:
        return f"this version is damaged or gone; `hnm dataset verify {stage}` says what can be done"
    return f"its Lance table is damaged or gone; build it anew: `hnm run --select {stage} --full-refresh`"


def is_readable(path: Path, version: int) -> bool:
    """Is there such a version, and can it be opened?"""
    try:
        open_version(path, version)
    except (WarehouseError, ValueError):
        return False
    return True
