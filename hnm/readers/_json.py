"""Records of JSON lines: one object per line."""

import io
from collections.abc import Iterator
from pathlib import Path

from hnm.errors import Location
from hnm.readers._files import lines
from hnm.readers._read import Entry, Rows, Unreadable, parsed
from hnm.readers._tables import Table
from hnm.readers._values import json_object

PROBED_LINES = 1_000


def json_rows(table: Table) -> Rows:
    """Reads JSON lines as records of `table`.

    A field counts as a column of the file when any object has it, so that objects may leave out what is empty.
    A required one that no object among the first 1,000 lines has is not waited for.
    """

    def rows(path: Path, raw: io.BufferedReader) -> Iterator[Entry]:
        fields: set[str] = set()
        for count, (line, record) in enumerate(parsed(lines(path, raw), json_object), 1):
            if not isinstance(record, Unreadable):
                fields.update(record)
            yield line, record
            if count == PROBED_LINES and fields:
                table.check_fields(fields, Location(path), required_only=True)
        if fields:
            table.check_fields(fields, Location(path))

    return rows
