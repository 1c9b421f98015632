"""The data version of a table: a digest of its content that does not depend on the order of rows."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hnm.sqltext import quote

if TYPE_CHECKING:
    import duckdb


_NESTED = re.compile(r"\[\]|^(STRUCT|MAP|UNION|VARIANT)")


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
    """32 hex digits over column names, types, the row count, and two sums of DuckDB's 64-bit row hashes.

    Sums, not an exclusive or, so that a row that stands twice counts. `columns`: those that stand for the content (all
    when None); `salt`: what else the content depends on then.
    """
    types = table_columns(connection, table)
    chosen = columns or tuple(types)
    content = row_content(types, chosen)
    (row,) = connection.execute(
        f"""select count(*), coalesce(sum(hash(t)::hugeint), 0), coalesce(sum(hash(t, 1)::hugeint), 0)
            from (select {content} as t from {table})"""
    ).fetchall()
    text = repr((salt, [(name, types[name]) for name in sorted(chosen)], row))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def row_content(types: Mapping[str, str], columns: Iterable[str]) -> str:
    """SQL for a row's content as one value to hash.

    DuckDB's hash takes an empty list, a list of one null and null for the same, and [[1], [2]] for [[1, 2]]: so nested
    values count as text.
    """
    values = (f"{quote(name)}::varchar" if _NESTED.search(types[name]) else quote(name) for name in columns)
    return f"row({', '.join(values)})"


def files_version(paths: list[tuple[str, str]]) -> str:
    """32 hex digits over (name, content digest) of files."""
    return hashlib.sha256(repr(sorted(paths)).encode()).hexdigest()[:32]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, 64 hex digits; memory does not grow with the file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
