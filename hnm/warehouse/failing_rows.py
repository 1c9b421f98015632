"""Rows on which data tests failed, kept for inspection: one table per stage and test in a schema of their own.

The tests of a stage run together, so that every run of them replaces all that was kept of the stage.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hnm.sqltext import quote

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SCHEMA = "_hnm_failures"
KEPT_ROWS = 1000


def table_name(stage: str, test: str) -> str:
    """The table's name within the schema; no stage's name holds a space."""
    return f"{stage} {test}"


def kept_tables(connection: "duckdb.DuckDBPyConnection", stage: str) -> set[str]:
    """The names of the tables that are kept of the stage's tests."""
    rows = connection.execute(
        "select table_name from information_schema.tables where table_schema = ? and starts_with(table_name, ?)",
        [SCHEMA, table_name(stage, "")],
    ).fetchall()
    return {row[0] for row in rows}


def keep_failing_rows(connection: "duckdb.DuckDBPyConnection", stage: str, rows: Mapping[str, "pa.Table"]) -> None:
    """Replace what is kept of the stage. `rows`: by the names of the tests that failed."""
    for name in kept_tables(connection, stage) - {table_name(stage, test) for test in rows}:
        connection.execute(f"drop table {SCHEMA}.{quote(name)}")
    if rows:
        connection.execute(f"create schema if not exists {SCHEMA}")
    for test, table in rows.items():
        connection.register("failing rows", table)
        name = quote(table_name(stage, test))
        connection.execute(f'create or replace table {SCHEMA}.{name} as select * from "failing rows"')
        connection.unregister("failing rows")
