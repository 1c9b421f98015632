"""Publish what was built: one DuckDB transaction swaps the table and names the new state.

A Lance version or a model folder is written first; what no row of `_hnm.materializations` names is garbage.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from hnm.dataset.find import DatasetVersion, versions_of
from hnm.dataset.record import surroundings, write_record
from hnm.dataset.statistics import statistics
from hnm.engine.changes import REMEMBERED, snapshot, tracked_inputs
from hnm.engine.check import Checked
from hnm.engine.job import Job
from hnm.engine.memory import PeakMemory
from hnm.engine.scratch import scratch
from hnm.sqltext import literal, quote
from hnm.warehouse import lance_table
from hnm.warehouse.failing_rows import keep_failing_rows
from hnm.warehouse.model_folder import folder_version
from hnm.warehouse.state import (
    SCHEMA,
    Materialization,
    StageRecord,
    write_materialization,
    write_quarantine,
    write_stage_records,
)
from hnm.warehouse.versions import write_version
from hnm.warehouse.warehouse import qualified

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH_BYTES = 32 * 2**20
LEAST_ROWS, MOST_ROWS = 2_048, 65_536


def publish(job: Job, checked: Checked, invocation_id: str, record: StageRecord, memory: PeakMemory) -> Materialization:
    """Make what stands aside the node's current state, and return that state. `memory`: that of the stage so far."""
    location, lance_version = _place_files(job, checked)
    done = Materialization(
        stage=job.node.name,
        invocation_id=invocation_id,
        fingerprint=job.fingerprint,
        components=job.components,
        data_version=checked.data_version,
        materialized=job.node.materialized,
        location=location,
        lance_version=lance_version,
        row_count=checked.row_count,
        columns=checked.columns,
        facts=job.context.facts,
        seconds=record.seconds,
    )
    recorded = _recorder(job, done) if done.materialized == "lance" else None
    attached = {"build": job.aside} | ({"consumed": job.consumed} if job.consumed.exists() else {})
    with job.warehouse.database.writing(attach=attached) as connection:
        # Within the bounds that it was built in: by itself DuckDB takes most of the machine's memory for a large table.
        connection.execute(f"set memory_limit = {literal(job.settings.memory_limit)}")
        connection.execute(f"set threads = {job.settings.cores}")
        connection.execute(SCHEMA)
        if job.node.materialized == "lance":  # it may have been a table before
            connection.execute(f"drop table if exists {qualified(job.node.name)}")
        else:
            _swap_table(connection, job)
        _keep_remembered(connection, job)
        write_materialization(connection, done)
        write_version(connection, done, job.state.get(done.stage), checked.changes)
        if recorded:
            recorded(connection)
        keep_failing_rows(connection, done.stage, {failed.test.name: failed.rows for failed in checked.warnings})
        write_quarantine(connection, job.node.name, invocation_id, job.context.bad_rows)
        write_stage_records(connection, invocation_id, [replace(record, peak_memory_mb=memory.peak_mb)])
    shutil.rmtree(job.folder, ignore_errors=True)
    return done


def _recorder(job: Job, done: Materialization) -> "Callable[[duckdb.DuckDBPyConnection], None]":
    """What keeps the record of a version that is to be published; all that takes time is done before it is called."""
    old, around, numbers = job.state.get(done.stage), surroundings(job.context.root), {}
    if not (old and old.lance_version == done.lance_version):
        with scratch(job.aside, job.settings) as connection:
            numbers = statistics(connection, job.table)
    return partial(
        write_record, done=done, state=job.state, version_by=job.version_by, around=around, statistics=numbers
    )


def _swap_table(connection: "duckdb.DuckDBPyConnection", job: Job) -> None:
    if job.node.schema != "main":
        connection.execute(f"create schema if not exists {quote(job.node.schema)}")
    connection.execute(f"create or replace table {qualified(job.node.name)} as select * from {job.table}")


def _keep_remembered(connection: "duckdb.DuckDBPyConnection", job: Job) -> None:
    """Keep what the stage consumed, for the next build to find the changes."""
    connection.execute(f"create schema if not exists {REMEMBERED}")
    for entry in tracked_inputs(job):
        name = snapshot(job, entry)
        connection.execute(f"create or replace table {REMEMBERED}.{name} as select * from consumed.{name}")


def _place_files(job: Job, checked: Checked) -> tuple[str | None, int | None]:
    """Put a Lance version or a model folder in place; returns its location in the warehouse and the Lance version."""
    if job.node.materialized == "lance":
        path = job.warehouse.lance_path(job.node.name)
        old = job.state.get(job.node.name)
        same = old and old.data_version == checked.data_version and old.lance_version
        if old and same and lance_table.is_readable(path, same, throughout=job.full_refresh):
            return old.location, old.lance_version  # equal content is the same version
        before = _same_content(job, checked)
        if before and lance_table.is_readable(path, before.lance_version, throughout=True):
            return str(path.relative_to(job.warehouse.folder)), before.lance_version
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch(job.aside, job.settings) as connection:
            version = lance_table.write_version(path, _stream(connection, job.table))
        return str(path.relative_to(job.warehouse.folder)), version
    if job.node.materialized == "model":
        folder = job.warehouse.folder / "models" / job.node.name / checked.data_version[:16]
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists() and folder_version(folder) != checked.data_version:
            shutil.rmtree(folder)  # somebody changed or removed files of it
        if not folder.exists():
            job.context.model_folder.rename(folder)
        return str(folder.relative_to(job.warehouse.folder)), None
    return None, None


def _stream(connection: "duckdb.DuckDBPyConnection", table: str) -> "pa.RecordBatchReader":
    """All rows in batches of about `BATCH_BYTES`, as wide as the first rows are: DuckDB makes whole batches."""
    first = connection.sql(f"select * from {table} limit {LEAST_ROWS}").to_arrow_table()
    rows = BATCH_BYTES * max(first.num_rows, 1) // max(first.nbytes, 1)
    return connection.sql(f"select * from {table}").to_arrow_reader(min(max(rows, LEAST_ROWS), MOST_ROWS))


def _same_content(job: Job, checked: Checked) -> DatasetVersion | None:
    """An earlier version that is what was built now, as after a change that was taken back."""
    old = job.state.get(job.node.name)
    if old is None or old.materialized != "lance" or old.data_version == checked.data_version:
        return None
    versions = versions_of(job.warehouse, job.node.name)
    return next((entry for entry in versions if entry.here and entry.data_version == checked.data_version), None)
