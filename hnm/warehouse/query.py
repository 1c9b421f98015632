"""Read-only SQL over a warehouse: DuckDB's tables and Lance's alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hnm.errors import QueryError, nearest
from hnm.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH_ROWS = 65_536


@contextmanager
def query(warehouse: Warehouse, sql: str, values: list[Any] | None = None) -> Iterator["pa.RecordBatchReader"]:
    """The rows of `sql`, streamed. `?` in it takes `values` in turn. Raises QueryError when it fails or would write."""
    import duckdb

    state = warehouse.state()
    with warehouse.querying(state, _table_names(sql)) as connection:
        try:
            _check_reads_only(connection, sql)
            yield connection.sql(sql, params=values or None).to_arrow_reader(BATCH_ROWS)
        except duckdb.CatalogException as error:
            missing = str(error).partition("Table with name ")[2].split(" ")[0]
            raise _failed(error, nearest(missing, state) or "`hnm ls` lists the tables") from None
        except duckdb.Error as error:
            raise _failed(error, None) from None


def _check_reads_only(connection: "duckdb.DuckDBPyConnection", sql: str) -> None:
    import duckdb

    reading = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.PRAGMA)
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(f"one query at a time, not {len(statements)}")
    if statements[0].type not in reading:
        raise QueryError(
            "queries are read-only",
            why=f"this is a {statements[0].type.name} statement",
            hint="tables are made by stages: put the SQL into sql/NAME.sql and run it",
        )


def _table_names(sql: str) -> set[str]:
    """Every table that the query names, so that only the Lance tables it needs are opened."""
    import sqlglot
    from sqlglot import exp

    try:
        parsed = sqlglot.parse(sql, read="duckdb")
    except sqlglot.errors.SqlglotError:
        return set()  # DuckDB itself will say what is wrong
    return {table.name for tree in parsed if tree for table in tree.find_all(exp.Table)}


def _failed(error: Exception, hint: str | None) -> QueryError:
    first, *rest = str(error).splitlines()
    return QueryError(first, why="\n".join(rest).strip() or None, hint=hint)
