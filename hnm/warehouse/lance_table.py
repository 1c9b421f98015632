"""Lance tables of the warehouse: every build is a new version of the same dataset, and the state names the version."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.errors import WarehouseError

if TYPE_CHECKING:
    import pyarrow as pa


def write_version(path: Path, rows: "pa.RecordBatchReader") -> int:
    """Write all rows as a new version of the dataset at `path` (made when absent) and return the version's number."""
    import lance

    dataset = lance.write_dataset(rows, str(path), mode="overwrite" if path.exists() else "create")
    return int(dataset.version)


def open_version(path: Path, version: int) -> Any:
    """The dataset at one version. Raises WarehouseError when it was removed or damaged."""
    import lance

    try:
        return lance.dataset(str(path), version=version)
    except (ValueError, OSError, FileNotFoundError) as error:
        raise WarehouseError(
            f"the Lance table {path.name} has no readable version {version}",
            why=str(error).splitlines()[0],
            hint=f"rebuild it: `hnm run --select {path.stem} --full-refresh`",
        ) from None


def is_readable(path: Path, version: int) -> bool:
    """Is there such a version, and can it be opened?"""
    try:
        open_version(path, version)
    except WarehouseError:
        return False
    return True
