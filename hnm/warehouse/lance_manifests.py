"""A Lance dataset some of whose manifests were damaged by hand: what can still be read, and how it is written again.

Lance opens no dataset whose newest manifest is damaged, not even to write it, and lists the versions of none that has a
damaged manifest anywhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

DAMAGED = "_damaged"
"""The folder within a dataset that damaged manifests are moved to. Lance looks for none in it."""

_NAMED_BACKWARDS = 2**64 - 1
"""Lance names a manifest by this number minus its version, so that the newest is the first of a listing."""


@contextmanager
def damage_as_os_error() -> Iterator[None]:
    """Raise OSError for what Lance says of damaged manifests, which is a ValueError, RuntimeError or panic as well."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise OSError(str(error)) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # which is no Exception
            raise
        raise OSError(f"a manifest is damaged: {error}") from None


def open_dataset(path: Path, version: int | None = None, **options: Any) -> Any:
    """The dataset at one version; None is the newest. Raises OSError when there is none, or its manifest is damaged."""
    import lance

    with damage_as_os_error():
        dataset: Any = lance.dataset(str(path), version=version, **options)
    if dataset.version == 0 or version not in {None, dataset.version}:  # one full of zeros is version 0
        raise OSError(f"a manifest is damaged: it says version {dataset.version}")
    return dataset


def newest_readable(path: Path) -> Any | None:
    """The dataset at the newest version whose manifest can be read; None where there is none."""
    try:
        return open_dataset(path)
    except OSError:
        readable = [dataset for _, _, dataset in _manifests(path) if dataset is not None]
        return readable[-1] if readable else None


def readable_versions(path: Path) -> set[int]:
    """The versions whose manifest can be read; empty where there is no dataset."""
    newest = newest_readable(path)
    if newest is None:
        return set()
    with suppress(OSError), damage_as_os_error():
        return {int(entry["version"]) for entry in newest.versions()}
    return {version for version, _, dataset in _manifests(path) if dataset is not None}  # one of them is damaged


def set_damaged_aside(path: Path) -> int:
    """Move damaged manifests to the folder `DAMAGED` where Lance could not write the dataset because of them.

    Returns the newest damaged version; 0 when nothing is in the way. No one may write the dataset meanwhile.
    """
    with suppress(OSError):
        open_dataset(path)
        return 0
    damaged = [version for version, _, dataset in _manifests(path) if dataset is None]
    for version in damaged:
        set_aside(path, version)
    return max(damaged, default=0)


def set_aside(path: Path, version: int) -> None:
    """Move the manifest of one version to the folder `DAMAGED`; its rows are leftovers then, for `gc` to remove."""
    file = manifest_files(path)[version]
    (path / DAMAGED).mkdir(exist_ok=True)
    file.replace(path / DAMAGED / file.name)


def manifest_files(path: Path) -> dict[int, Path]:
    """The file of every manifest by version, the oldest first, damaged ones included. None is opened."""
    files = (path / "_versions").glob("*.manifest")
    numbered = {_version(int(file.stem)): file for file in files if file.stem.isdecimal()}
    return dict(sorted(numbered.items()))


def has_manifest(path: Path, version: int) -> bool:
    """Is there the file of a version's manifest, damaged or not? Much faster than to open it."""
    return any((path / "_versions" / f"{number}.manifest").exists() for number in (_NAMED_BACKWARDS - version, version))


def _manifests(path: Path) -> Iterator[tuple[int, Path, Any]]:
    """Version and file of every manifest, the oldest first, and the dataset at it; None where it is damaged."""
    for version, file in manifest_files(path).items():
        try:
            yield version, file, open_dataset(path, version)
        except OSError:
            yield version, file, None


def _version(number: int) -> int:
    return _NAMED_BACKWARDS - number if number > _NAMED_BACKWARDS // 2 else number
