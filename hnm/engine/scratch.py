"""A DuckDB in memory, bounded by the settings, in which a stage is built beside the warehouse."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hnm.context import Settings
from hnm.engine.failures import LANCE_PREFIX
from hnm.engine.job import Job
from hnm.sqltext import literal, quote
from hnm.warehouse.warehouse import qualified

if TYPE_CHECKING:
    import duckdb


@contextmanager
def scratch(
    file: Path, settings: Settings, read: Mapping[str, Path] | None = None
) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A connection with `file` attached as `build`, and the files of `read` attached read-only under their names.

    What does not fit into memory spills beside the file.
    """
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
        for name, path in (read or {}).items():
            connection.execute(f"attach {literal(str(path))} as {quote(name)} (read_only)")
        yield connection
    finally:
        connection.close()


@contextmanager
def warehouse_attached(connection: "duckdb.DuckDBPyConnection", job: Job, more: Iterable[str] = ()) -> Iterator[None]:
    """Make the warehouse's tables readable, and the Lance tables among the node's inputs and `more`; see `table_of`.

    Nobody can publish meanwhile.
    """
    import duckdb

    own = [job.node.name] if job.previous else []
    for name in dict.fromkeys((*job.node.reads, *own, *more)):
        done = job.state.get(name)
        if done and done.materialized == "lance":
            connection.register(_lance_name(name), job.warehouse.lance_dataset(done))
    database = job.warehouse.database
    if not database.exists():
        yield
        return
    with database.gate.reading():
        connection.execute(f"attach {literal(str(database.path))} as warehouse (read_only)")
        try:
            yield
        finally:
            with suppress(duckdb.Error):  # what failed before counts more, and closing lets go of the file too
                connection.execute("detach warehouse")


def table_of(job: Job, name: str) -> str:
    """SQL text that names the published table of a node in a connection with `warehouse_attached`."""
    if job.state[name].materialized == "lance":
        return quote(_lance_name(name))
    return f"warehouse.{qualified(name)}"


def _lance_name(name: str) -> str:
    return f"{LANCE_PREFIX}{name}"
