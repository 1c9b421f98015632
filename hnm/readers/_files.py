"""Finding and opening the files of a source."""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from hnm.errors import Location, SourceError, nearest

GZIP = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WILDCARD = re.compile(r"[*?\[]")
_NO_TEXT = {
    rb"\xff\xfe|\xfe\xff|[^\0]\0[^\0]\0|\0[^\0]\0[^\0]": ("UTF-16", "make UTF-8 of it: `iconv -f UTF-16 -t UTF-8`"),
    rb"\x28\xb5\x2f\xfd": ("Zstandard", "unpack it, or compress it with gzip"),
    rb"BZh[1-9]1AY&SY": ("bzip2", "unpack it, or compress it with gzip"),
    rb"\xfd7zXZ\0": ("xz", "unpack it, or compress it with gzip"),
    rb"PK\x03\x04": ("a ZIP archive", "unpack it"),
    rb"PAR1[\0-\x08\x0e-\x1f]": ("Parquet", "read it with `format: parquet`"),
}
"""How files begin that are often taken for text: what they are, and what to do."""


def matching(root: Path, path: str) -> list[Path]:
    """The files that `path` names, sorted; it may be a glob, and is relative to `root` unless absolute.

    Folders that a glob matches are passed over. Raises SourceError when there is no file, and for a link to none.
    """
    if (root / path).exists() or not _WILDCARD.search(path):
        return [existing_file(root / path)]
    parts = Path(path).parts
    first = next(number for number, part in enumerate(parts) if _WILDCARD.search(part))
    folder = existing_folder(root.joinpath(*parts[:first]))
    try:
        found = sorted(file for file in folder.glob("/".join(parts[first:])) if not file.is_dir())
    except ValueError as error:
        hint = "`**` stands for folders, between two slashes: logs/**/*.csv"
        raise SourceError(f"{path} is no pattern", why=str(error), hint=hint) from error
    if not found:
        raise SourceError(f"no file matches {path}", where=Location(folder), hint=_holds(folder))
    return [existing_file(file) for file in found]


def existing_file(path: Path) -> Path:
    """`path`, which must be a file. Raises SourceError otherwise."""
    if existing(path).is_dir():
        raise SourceError("a folder stands where a file is wanted", where=Location(path), hint=_holds(path))
    if not path.is_file():
        hint = "write what it gives into a file, which can be read again"
        raise SourceError("a pipe or device stands where a file is wanted", where=Location(path), hint=hint)
    return path


def existing_folder(path: Path) -> Path:
    """`path`, which must be a folder. Raises SourceError otherwise."""
    if not existing(path).is_dir():
        raise SourceError(
            "a file stands where a folder is wanted", where=Location(path), hint="name its folder instead"
        )
    return path


def existing(path: Path) -> Path:
    """`path`, which must exist. Raises SourceError that names what stands nearest to the first missing part."""
    if path.exists():
        return path
    gone = next(part for part in (*reversed(path.parents), path) if not part.exists())
    if gone.is_symlink():
        hint = "mend the link or remove it"
        raise SourceError(f"{gone} is a link to nothing", why=f"it names {gone.readlink()}", hint=hint)
    folder = gone.parent
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    raise SourceError(
        f"no such file or folder: {path}",
        why=f"{folder} has no {gone.name!r}",
        hint=nearest(gone.name, names) or _holds(folder),
    )


def _holds(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    return f"{folder} holds: {', '.join(names[:8]) or 'nothing'}{', …' if len(names) > 8 else ''}"


def opened(path: Path) -> io.BufferedReader:
    """The file, open for reading bytes. Raises SourceError when that is not permitted."""
    try:
        return path.open("rb")
    except OSError as error:
        raise SourceError("cannot open the file", where=Location(path), why=error.strerror) from error


def raw_lines(path: Path, raw: io.BufferedReader) -> Iterator[tuple[int, bytes]]:
    """Numbered lines with their ends, of a plain or gzipped file (told by its content), without a byte order mark.

    `raw` is the open file, whose position shows how far the reading is. Raises SourceError when the file is cut short,
    or no text at all.
    """
    try:
        is_gzip = raw.peek(2).startswith(GZIP)
        stream = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if is_gzip else raw
        _check_is_text(path, stream.peek(16))
        for number, line in enumerate(stream, 1):
            yield number, line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(
            "cannot read the file to its end",
            where=Location(path),
            why=str(error),
            hint="copy it again from its origin",
        ) from error


def _check_is_text(path: Path, begin: bytes) -> None:
    for pattern, (what, hint) in _NO_TEXT.items():
        if re.match(pattern, begin):
            why = f"it begins as {what} does"
            raise SourceError("the file is no UTF-8 text", where=Location(path), why=why, hint=hint)


def lines(path: Path, raw: io.BufferedReader) -> Iterator[tuple[int, bytes]]:
    """Numbered lines without their ends (Unix or Windows); blank ones are left out."""
    for number, line in raw_lines(path, raw):
        if line.strip():
            yield number, line.rstrip(b"\r\n")
