"""The data version of a table: a digest of its content that does not depend on the order of rows."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hnm.sqltext import quote

if TYPE_CHECKING:
    import duckdb


_AS_TEXT = re.compile(r"\[\]|^(STRUCT|MAP|UNION|VARIANT|INTERVAL)")


def table_columns(connection: "duckdb.DuckDBPyConnection", table: str) -> dict[str, str]:
    """Column names to DuckDB types of `table` (SQL text of a table name)."""
    return {row[0]: row[1] for row in connection.execute(f"describe {table}").fetchall()}


def count_rows(connection: "duckdb.DuckDBPyConnection", table: str) -> int:
    """How many rows `table` (SQL text of what follows FROM) has."""
    # Not fetchone: an open result would keep the connection from registering anything.
    return int(connection.execute(f"select count(*) from {table}").fetchall()[0][0])


def data_version(
    connection: "duckdb.DuckDBPyConnection", table: str, columns: tuple[str, ...] | None = None, salt: str = ""
) -> str:
    """32 hex digits over column names and types in their order, the row count, and two sums of 64-bit row hashes.

    The order of columns counts, because SQL may read them by it (`select *`, `union all`). Sums, not an exclusive or,
    so that a row that stands twice counts. `columns`: those that stand for the content (all
    when None); `salt`: what else the content depends on then.
    """
    types = table_columns(connection, table)
    chosen = columns or tuple(types)
    content = row_content(types, chosen)
    (row,) = connection.execute(
        f"""select count(*), coalesce(sum(hash(t)::hugeint), 0), coalesce(sum(hash(t, 1)::hugeint), 0)
            from (select {content} as t from {table})"""
    ).fetchall()
    text = repr((salt, names_and_types(types, chosen), row))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def row_content(types: Mapping[str, str], columns: Iterable[str]) -> str:
    """SQL for a row's content as one value to hash.

    DuckDB's hash takes an empty list, a list of one null and null for the same, [[1], [2]] for [[1, 2]], and a month
    for 30 days: so nested values and intervals count as text. Values of two types may have one hash, as 1 and true:
    what is hashed must hold `names_and_types` as well.
    """
    values = (f"{quote(name)}::varchar" if _AS_TEXT.search(types[name]) else quote(name) for name in columns)
    return f"row({', '.join(values)})"


def names_and_types(types: Mapping[str, str], columns: Iterable[str]) -> str:
    """The columns with their types, in this order, as one text."""
    return repr([(name, types[name]) for name in columns])


def files_version(paths: list[tuple[str, str]]) -> str:
    """32 hex digits over (name, content digest) of files."""
    return hashlib.sha256(repr(sorted(paths)).encode()).hexdigest()[:32]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, 64 hex digits; memory does not grow with the file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
