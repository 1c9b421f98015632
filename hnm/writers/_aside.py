"""Writing so that a file or folder is either whole or not there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hnm.errors import HnmError, Location


@contextmanager
def aside(target: Path, replace: bool = False) -> Iterator[Path]:
    """A temporary name beside `target`, which takes that name when the block ends well and vanishes when it does not.

    A file at `target` is replaced, a folder must be empty unless `replace`: then it goes when the new one is whole.
    Raises HnmError when it is not empty, and when writing fails.
    """
    try:
        if not replace and target.is_dir() and any(target.iterdir()):
            raise HnmError(
                "the folder is not empty", where=Location(target), hint="name a new folder, or empty this one"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
            written = Path(folder) / target.name
            yield written
            if replace and target.is_dir():
                target.rename(Path(folder) / "replaced")
            written.replace(target)
    except OSError as error:
        raise HnmError("cannot write", where=Location(target), why=error.strerror or str(error)) from error
