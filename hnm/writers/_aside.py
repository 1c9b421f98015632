"""Writing so that a file or folder is either whole or not there."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from hnm.errors import HnmError, Location

LOCK = "hnm.lock"
"""In every folder of something half written: the system frees it when the process that writes ends, however it ends."""
_REPLACED = "replaced"


def is_device(path: Path) -> bool:
    """Whether a pipe or device stands there, such as /dev/stdout: it can be written to, and must not be replaced."""
    return path.exists() and not (path.is_file() or path.is_dir())


@contextmanager
def aside(target: Path, replace: bool = False) -> Iterator[Path]:
    """A temporary name beside `target`, which takes that name when the block ends well and vanishes when it does not.

    A file at `target` is replaced, a folder must be empty unless `replace`: then it goes when the new one is whole.
    A link goes on leading where it did. What a killed process left beside the same name is removed first, never what
    another one is writing.
    Raises HnmError when it is not empty, when it is a pipe or device, and when writing fails.
    """
    if is_device(target):
        raise HnmError("a pipe or device cannot be replaced", where=Location(target), hint="name a new file")
    target = target.resolve() if target.is_symlink() else target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        if not replace and target.is_dir() and any(target.iterdir()):
            raise HnmError(
                "the folder is not empty", where=Location(target), hint="name a new folder, or empty this one"
            )
        with _hidden_folder(target) as folder:
            written = folder / target.name
            yield written
            if replace and target.is_dir():
                target.rename(folder / _REPLACED)
            written.replace(target)
    except OSError as error:
        raise HnmError("cannot write", where=Location(target), why=error.strerror or str(error)) from error


@contextmanager
def _hidden_folder(target: Path) -> Iterator[Path]:
    """A new folder beside `target`, locked while it is there, and removed in the end."""
    from filelock import FileLock

    folder = Path(mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    lock = FileLock(folder / "claimed")
    try:
        lock.acquire()
        # Only now under the name that is looked for: nobody finds it before it is held.
        (folder / "claimed").rename(folder / LOCK)
        yield folder
    finally:
        shutil.rmtree(folder)
        lock.release()


def _sweep(target: Path) -> None:
    """Remove what dead processes left of writing `target`."""
    from filelock import FileLock, Timeout

    left = re.compile(rf"\.{re.escape(target.name)}\.\w{{8}}")  # as mkdtemp names them
    for folder in target.parent.iterdir():
        if not left.fullmatch(folder.name) or not (folder / LOCK).is_file() or folder.is_symlink():
            continue
        try:
            with FileLock(folder / LOCK, timeout=0):
                _finish(folder, target)
                shutil.rmtree(folder)
        except (Timeout, FileNotFoundError):  # somebody is writing there, or has just ended
            continue


def _finish(folder: Path, target: Path) -> None:
    """Where the kill came after the old folder had been moved away: the new one is whole, and takes its place."""
    written = folder / target.name
    if (folder / _REPLACED).exists() and written.exists() and not target.exists():
        written.replace(target)
