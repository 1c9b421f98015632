"""What DuckDB says of a warehouse file whose content is not what was written, and what helps. Pure."""

import re
from pathlib import Path

from hnm.errors import WarehouseError

DAMAGED = "the file is damaged: move it away, and `hnm run` builds everything anew"
_DAMAGE = re.compile(
    r"""(?:^|Original\ error:\ ")          # what DuckDB says itself, and not what a query or a name of a table holds
        (?:\w+:\ )? (?:(?:IO|Data\ Corruption)\ Error:\ )?
        (?:Could\ not\ read\ enough\ bytes\ from\ file\ "[^"]*hnm\.duckdb"
          |Corrupt\ database\ file:\ computed\ checksum)
    """,
    re.VERBOSE,
)


def tells_of_damage(message: str) -> bool:
    """Does DuckDB say that a warehouse file cannot be read? It opens one, and finds damage only where it reads."""
    return _DAMAGE.search(message) is not None


def damaged(path: Path, message: str) -> WarehouseError:
    """The error to raise where DuckDB found damage in the file at `path`."""
    return WarehouseError(f"cannot read {path}", why=message, hint=DAMAGED)
