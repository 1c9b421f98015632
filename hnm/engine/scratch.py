"""A DuckDB in memory, bounded by the settings, in which a stage is built beside the warehouse.

A stage has one from its first query to its last: to open and to close one takes as long as a query of a small table.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hnm.context import Settings
from hnm.engine.failures import LANCE_PREFIX
from hnm.engine.job import Job
from hnm.sqltext import literal, quote, split_name
from hnm.warehouse.warehouse import qualified

if TYPE_CHECKING:
    import duckdb


@contextmanager
def scratch(file: Path, settings: Settings) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A connection with `file` attached as `build`. What does not fit into memory spills beside the file."""
    import duckdb

    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": settings.memory_limit,
            "threads": settings.cores,
            "temp_directory": str(file.parent / "spill"),
            "python_enable_replacements": False,
        },
    )
    try:
        connection.execute(f"attach {literal(str(file))} as build")
        yield connection
    finally:
        connection.close()


@contextmanager
def warehouse_attached(connection: "duckdb.DuckDBPyConnection", job: Job) -> Iterator[None]:
    """Make the warehouse's tables readable, and the Lance tables among those that the node and its tests read, and its
    own last one where that may be reused; see `table_of`.

    Nobody can publish meanwhile. Raises WarehouseError when the warehouse's file cannot be opened, LockedError when
    another process stays in it.
    """
    own = {job.node.name}
    others = {*job.node.reads, *(name for test in job.node.tests for name in test.reads)} - own
    register_lance(connection, job, others | own if job.previous else others)  # a damaged one must not be in the way
    database = job.warehouse.database
    if not database.exists():
        yield
        return
    with database.attached(connection, "warehouse"):
        yield


def register_lance(connection: "duckdb.DuckDBPyConnection", job: Job, names: Iterable[str]) -> None:
    """Make the Lance tables among these nodes readable; see `table_of`."""
    for name in names:
        done = job.state.get(name)
        if done and done.materialized == "lance":
            connection.register(_lance_name(name), job.warehouse.lance_dataset(done))


def table_of(job: Job, name: str) -> str:
    """SQL text that names the published table of a node in a connection with `warehouse_attached`."""
    if job.state[name].materialized == "lance":
        return quote(_lance_name(name))
    return f"warehouse.{qualified(name)}"


def show(connection: "duckdb.DuckDBPyConnection", name: str, rows: str) -> None:
    """Make `rows` (what follows FROM) visible under the name that ref() or source() gives to the node `name`."""
    schema, _ = split_name(name)
    if schema:
        connection.execute(f"create schema if not exists {quote(schema)}")
        connection.execute(f"create or replace view {qualified(name)} as select * from {rows}")
    else:  # Lance tables exist for this connection alone, and so must a view that reads them
        connection.execute(f"create or replace temp view {quote(name)} as select * from {rows}")


def _lance_name(name: str) -> str:
    return f"{LANCE_PREFIX}{name}"
