"""Every version of a stage's content that was published, and by which rows each differs from the one before.

Kept in `_hnm.versions`, so that a plan can say what changed in an input without looking at its rows.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hnm.sqltext import quote
from hnm.warehouse.digest import count_rows, row_content, table_columns
from hnm.warehouse.state import Materialization, has_state

if TYPE_CHECKING:
    import duckdb

COMPARED_ROWS = 2_000_000
"""Tables with more rows than this are not compared row by row: that would take longer than it is worth."""


@dataclass(frozen=True)
class RowChanges:
    """By how many rows, told apart by the unique key, a version differs from the one that it replaced."""

    inserted: int
    changed: int
    deleted: int

    @property
    def total(self) -> int:
        return self.inserted + self.changed + self.deleted

    def __str__(self) -> str:
        return " ".join(
            f"{sign}{count:,}"
            for sign, count in (("+", self.inserted), ("~", self.changed), ("-", self.deleted))
            if count
        )


@dataclass(frozen=True)
class Versions:
    """`rows`: how many each data version had. `changes`: between a version and the one it replaced, where known.

    `numbers`: the highest that a version of each Lance stage was ever published under, whether or not that is there.
    """

    rows: dict[str, int] = field(default_factory=dict)
    changes: dict[tuple[str, str], RowChanges] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def add(self, version: str, rows: int, replaced: str | None, changes: RowChanges | None) -> None:
        """Take in a version that was published."""
        self.rows[version] = rows
        if replaced is not None and changes is not None:
            self.changes[replaced, version] = changes

    def counts(self, old: str, new: str) -> str:
        """In words, how many rows two versions of one table have; empty when that is not known."""
        if old not in self.rows or new not in self.rows:
            return ""
        same = self.rows[old] == self.rows[new]
        return f"{self.rows[new]:,} rows as before" if same else f"{self.rows[old]:,} -> {self.rows[new]:,} rows"


def read_versions(connection: "duckdb.DuckDBPyConnection") -> Versions:
    """All that were ever published."""
    if not has_state(connection, "versions"):
        return Versions()
    known = Versions()
    query = """select distinct stage, coalesce(lance_version, 0), data_version, row_count, replaced, inserted, changed,
                               deleted from _hnm.versions"""
    for stage, number, version, count, replaced, inserted, changed, deleted in connection.execute(query).fetchall():
        known.numbers[stage] = max(number, known.numbers.get(stage, 0))
        known.add(version, count, replaced, None if replaced is None else RowChanges(inserted, changed, deleted))
    return known


def write_version(
    connection: "duckdb.DuckDBPyConnection",
    done: Materialization,
    replaced: Materialization | None = None,
    changes: RowChanges | None = None,
) -> None:
    """Keep that this version was published, and how it differs from the one that it replaced."""
    version = [done.stage, done.data_version, done.location, done.lance_version]
    connection.execute(
        "delete from _hnm.versions where stage = ? and data_version = ? and location is not distinct from ? "
        "and lance_version is not distinct from ?",
        version,
    )
    counts = [replaced.data_version, changes.inserted, changes.changed, changes.deleted] if replaced and changes else []
    connection.execute(
        "insert into _hnm.versions values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [*version, done.row_count, done.invocation_id, done.built_at, *(counts or [None] * 4)],
    )


def count_changes(
    connection: "duckdb.DuckDBPyConnection", old: str, new: str, key: tuple[str, ...], columns: tuple[str, ...]
) -> RowChanges | None:
    """How the rows of two tables differ by `columns`, told apart by `key`; None when that cannot be told."""
    before, now = table_columns(connection, old), table_columns(connection, new)
    if (
        before != now
        or not {*key, *columns} <= now.keys()
        or max(count_rows(connection, old), count_rows(connection, new)) > COMPARED_ROWS
    ):
        return None
    keys = ", ".join(map(quote, key))
    content = f"select {keys}, hash({row_content(now, columns)}) as _content from"
    (row,) = connection.execute(
        f"""select
            count(*) filter (old._content is null),
            count(*) filter (old._content <> new._content),
            count(*) filter (new._content is null),
        from ({content} {old}) as old full join ({content} {new}) as new using ({keys})"""
    ).fetchall()
    return RowChanges(*row)
