"""One pipeline for every format: records in, checked rows out, in batches bounded by rows and by bytes.

A format gives one function that turns an open file into numbered records (`Rows`); all the rest is here.
"""

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from hnm.context import EXCERPT_CHARACTERS, Advance, BadRows, Context
from hnm.errors import Location, SourceError
from hnm.inputs import BATCH_ROWS
from hnm.readers._files import opened
from hnm.readers._tables import Row, Table
from hnm.readers._values import BadValueError

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_CHARACTERS = 16 * 2**20
PROGRESS_EVERY = 1024
MAX_LINES = 2**40


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What stands where a record should be: why it is none, and how it reads."""

    reason: str
    content: str


Record = Mapping[str, object] | Unreadable
Entry = tuple[int, Record]
"""A line number (in Parquet a row number), from 1, and what stands there."""

Rows = Callable[[Path, io.BufferedReader], Iterator[Entry]]


def per_line(lines: Iterable[tuple[int, bytes]], parse: Callable[[str], Record | None]) -> Iterator[Entry]:
    """Records of a format with one record per line; `parse` gives None for a line to skip, and may raise BadValueError."""
    for number, line in lines:
        record: Record | None
        try:
            record = parse(line.decode())
        except UnicodeDecodeError:
            record = Unreadable("not valid UTF-8", show(line))
        except BadValueError as error:
            record = Unreadable(str(error), show(line))
        if record is not None:
            yield number, record


def show(content: bytes | str) -> str:
    """The beginning of `content` as text that can be stored and printed."""
    start = content[: EXCERPT_CHARACTERS * 4]
    encoded = start if isinstance(start, bytes) else start.encode("utf-8", "surrogateescape" if _escaped(start) else "backslashreplace")
    return encoded.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
