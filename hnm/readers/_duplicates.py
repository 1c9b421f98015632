"""Finding rows of a source that say the same thing twice, or contradict each other."""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from hnm.errors import Location
from hnm.readers._tables import Row, Table
from hnm.readers._values import BadValueError

MAX_LINES = 2**40


class Duplicates:
    """The keys of a table that were read, and where each stood first.

    Memory: a digest of 8 bytes and a place per row: 100 to 150 bytes with Python's overhead, for
    judgments up to twice that.
    The chance that two different keys of ten million are taken for one is below 1 in 100,000.
    """

    def __init__(self, table: Table, paths: Sequence[Path]) -> None:
        self._table = table
        self._paths = paths
        self._first: dict[int, int] = {}

    def is_new(self, row: Row, file: int, line: int) -> bool:
        """Whether the key is new; False for a row that only repeats another.

        Raises BadValueError, which names the first row, when the key is taken and the rows do not agree.
        """
        table, place = self._table, file * MAX_LINES + line
        if not table.key:
            return True
        first = self._first.setdefault(_digest(row, table.key), place)
        whole = _digest(row, table.key + table.agree) if table.agree else None
        if first == place:
            if whole is not None:
                self._first[whole] = place
            return True
        if whole in self._first:
            return False
        file, line = divmod(first, MAX_LINES)
        key = ", ".join(f"{name} {row[name]!r}" for name in table.key)
        otherwise = f" with another {' or '.join(table.agree)}" if table.agree else ""
        raise BadValueError(f"{key} was read before{otherwise}, at {Location(self._paths[file], line)}")


def _digest(row: Row, names: tuple[str, ...]) -> int:
    written = repr(tuple(row[name] for name in names))
    return int.from_bytes(blake2b(written.encode(), digest_size=8).digest())
