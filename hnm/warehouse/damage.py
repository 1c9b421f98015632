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
_OF_LOG = re.compile(r"\bWAL file\b|\bThis WAL\b")


def tells_of_damage(message: str) -> bool:
    """Does DuckDB say that a warehouse file cannot be read? It opens one, and finds damage only where it reads."""
    return _DAMAGE.search(message) is not None


def cannot_open(path: Path, message: str) -> WarehouseError:
    """The error to raise where DuckDB refuses the file at `path`, or the log of its last changes that stands beside."""
    log = log_of(path)
    if log.exists() and _OF_LOG.search(message):
        hint = (
            f"move {log.name} away: what was published last may stand only there, and `hnm run` builds what is missing"
        )
    else:
        hint = "if the file is damaged, move it away: `hnm run` builds everything anew"
    return WarehouseError(f"cannot open {path}", why=message, hint=hint)


def log_of(path: Path) -> Path:
    """Where DuckDB keeps what was committed to the file at `path` and is not in it yet, as after a kill."""
    return path.with_name(f"{path.name}.wal")


def damaged(path: Path, message: str) -> WarehouseError:
    """The error to raise where DuckDB found damage in the file at `path`."""
    return WarehouseError(f"cannot read {path}", why=message, hint=DAMAGED)
