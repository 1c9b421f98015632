"""A DuckDB in memory, bounded by the settings, in which a stage is built beside the warehouse."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.context import Settings
from hnm.engine.job import Job
from hnm.inputs import Inputs
from hnm.project.manifest import Call
from hnm.sqltext import literal, quote
from hnm.warehouse.warehouse import qualified

if TYPE_CHECKING:
    import duckdb

PREVIOUS = "previous"


@contextmanager
def scratch(file: Path, settings: Settings) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A connection with `file` attached as `build`; what does not fit into memory spills beside the file."""
    import duckdb

    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": settings.memory_limit,
            "threads": settings.threads,
            "temp_directory": str(file.parent / "spill"),
            "python_enable_replacements": False,
        },
    )
    try:
        connection.execute(f"attach {literal(str(file))} as build")
        yield connection
    finally:
        connection.close()


def show_inputs(connection: "duckdb.DuckDBPyConnection", job: Job) -> None:
    """Make the node's inputs visible under the names that ref() and source() give."""
    _attach_warehouse(connection, job)
    for name in job.node.depends_on:
        if job.state[name].materialized == "lance":
            connection.register(name, job.warehouse.lance_dataset(job.state[name]))
            continue
        if "." in name:
            connection.execute(f"create schema if not exists {quote(name.split('.')[0])}")
        connection.execute(f"create view {qualified(name)} as select * from warehouse.{qualified(name)}")


@contextmanager
def transform_inputs(job: Job, call: Call) -> Iterator[Inputs]:
    """The inputs of a transform under its own names.

    DuckDB tables are copied aside first, so that the warehouse is free while a long stage runs.
    """
    names = dict(call.inputs)
    if job.previous and PREVIOUS in call.transform.optional_inputs:
        names[PREVIOUS] = job.node.name
    snapshot = job.folder / "inputs.duckdb"
    with scratch(snapshot, job.settings) as connection:
        _attach_warehouse(connection, job)
        registered: dict[str, Any] = {}
        models: dict[str, Path] = {}
        tables: list[str] = []
        for name, source in names.items():
            done = job.state[source]
            if done.materialized == "lance":
                registered[name] = job.warehouse.lance_dataset(done)
                continue
            if done.materialized == "model":
                models[name] = job.warehouse.model_path(done)
            connection.execute(f"create table build.{quote(name)} as select * from warehouse.{qualified(source)}")
            connection.execute(f"create view {quote(name)} as select * from build.{quote(name)}")
            tables.append(name)
        if job.warehouse.database.exists():
            connection.execute("detach warehouse")
        yield Inputs(connection, tuple(tables), registered, models)
    snapshot.unlink(missing_ok=True)


def _attach_warehouse(connection: "duckdb.DuckDBPyConnection", job: Job) -> None:
    path = job.warehouse.database.path
    if path.exists():
        connection.execute(f"attach {literal(str(path))} as warehouse (read_only)")
