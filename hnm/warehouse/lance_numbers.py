"""A Lance version under a number that no version of its dataset had before it, whatever of that was deleted by hand.

Lance numbers on from what it finds, and so would give a number again that a state, a record or a tag still names.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.warehouse.lance_manifests import manifest_files

if TYPE_CHECKING:
    import pyarrow as pa

NEW = "_new"
"""The folder within a dataset in which such a version is written first. Lance looks for none in it."""


def write_beyond(path: Path, rows: "pa.RecordBatchReader", taken: int) -> int:
    """Write all rows as a version of the dataset at `path` with a number above `taken`, and return that number.

    Its files move in from a folder aside, the manifest as the last: killed at any point, no number up to `taken` names
    these rows. Every manifest that is there has a lower number.
    """
    aside = path / NEW
    shutil.rmtree(aside, ignore_errors=True)  # of one that was killed
    version = _written_aside(aside, rows, taken)
    for part in ("data", "_transactions"):
        _move_files(aside / part, path / part)
    manifest = manifest_files(aside)[version]
    (path / "_versions").mkdir(exist_ok=True)
    manifest.replace(path / "_versions" / manifest.name)
    shutil.rmtree(aside)
    return version


def _written_aside(aside: Path, rows: "pa.RecordBatchReader", taken: int) -> int:
    import lance

    dataset: Any = lance.write_dataset(rows, str(aside))
    while dataset.version <= taken:
        number = int(dataset.version)
        dataset.restore()  # the same files under the next number
        manifest_files(aside)[number].unlink()
    return int(dataset.version)


def _move_files(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for file in source.glob("*"):
        file.replace(target / file.name)
