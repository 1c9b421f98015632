"""Publish what was built: one DuckDB transaction swaps the table and names the new state."""

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from hnm.context import BadRow
from hnm.dataset.record import surroundings, write_record
from hnm.engine.changes import CONSUMED, REMEMBERED, snapshot, tracked_inputs
from hnm.engine.check import Checked
from hnm.engine.job import Job
from hnm.engine.memory import PeakMemory
from hnm.engine.place import Placed
from hnm.masking import masked, masked_place
from hnm.sqltext import literal, quote
from hnm.warehouse.failing_rows import keep_failing_rows
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


def publish(
    job: Job, checked: Checked, placed: Placed, invocation_id: str, record: StageRecord, memory: PeakMemory
) -> Materialization:
    """Make what stands aside the node's current state, and return that state. `memory`: that of the stage so far.

    The file aside must not be open.
    """
    done = Materialization(
        stage=job.node.name,
        invocation_id=invocation_id,
        fingerprint=job.fingerprint,
        components=job.components,
        data_version=checked.data_version,
        materialized=job.node.materialized,
        location=placed.location,
        lance_version=placed.lance_version,
        row_count=checked.row_count,
        columns=checked.columns,
        facts=job.context.facts,
        seconds=record.seconds,
    )
    around = surroundings(job.context.root) if done.materialized == "lance" else None
    with job.warehouse.database.writing(attach={"build": job.aside}) as connection:
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
        if around:
            write_record(connection, done, job.state, job.version_by, around, placed.statistics)
        keep_failing_rows(connection, done.stage, {failed.test.name: failed.rows for failed in checked.warnings})
        write_quarantine(connection, job.node.name, invocation_id, _bad_rows(job))
        write_stage_records(connection, invocation_id, [replace(record, peak_memory_mb=memory.peak_mb)])
    shutil.rmtree(job.folder, ignore_errors=True)
    return done


def _bad_rows(job: Job) -> list[BadRow]:
    secrets = tuple(job.node.env_read.values())
    return [
        BadRow(masked_place(bad.where, secrets), masked(bad.reason, secrets), masked(bad.excerpt, secrets))
        for bad in job.context.bad_rows
    ]


def _swap_table(connection: "duckdb.DuckDBPyConnection", job: Job) -> None:
    if job.node.schema != "main":
        connection.execute(f"create schema if not exists {quote(job.node.schema)}")
    connection.execute(f"create or replace table {qualified(job.node.name)} as select * from {job.table}")


def _keep_remembered(connection: "duckdb.DuckDBPyConnection", job: Job) -> None:
    """Keep what the stage consumed, for the next build to find the changes.

    And nothing that an earlier build did: that would be taken for what this one consumed, once it is tracked again.
    """
    connection.execute(f"create schema if not exists {REMEMBERED}")
    of_stage = f"{job.node.name} "
    query = "select table_name from duckdb_tables() where schema_name = ? and starts_with(table_name, ?)"
    for (earlier,) in connection.execute(query, [REMEMBERED, of_stage]).fetchall():
        connection.execute(f"drop table {REMEMBERED}.{quote(earlier)}")
    for entry in tracked_inputs(job):
        name = snapshot(job, entry)
        connection.execute(f"create table {REMEMBERED}.{name} as select * from {CONSUMED}.{name}")
