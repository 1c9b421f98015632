"""What is built, and the history of runs: tables in the schema `_hnm` of the warehouse, for SQL to read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hnm.context import BadRow

if TYPE_CHECKING:
    import duckdb

SCHEMA = """
create schema if not exists _hnm;
create table if not exists _hnm.materializations (
    stage varchar, invocation_id varchar, fingerprint varchar, components varchar, data_version varchar,
    materialized varchar, location varchar, lance_version bigint, row_count bigint, columns varchar, facts varchar,
    built_at varchar, seconds double
);
create table if not exists _hnm.runs (
    invocation_id varchar, command varchar, target varchar, started_at varchar, finished_at varchar,
    status varchar, hnm_version varchar
);
create table if not exists _hnm.run_stages (
    invocation_id varchar, stage varchar, status varchar, reason varchar, row_count bigint, seconds double,
    peak_memory_mb double, message varchar, fingerprint varchar, components varchar
);
create table if not exists _hnm.versions (
    stage varchar, data_version varchar, location varchar, lance_version bigint, row_count bigint,
    invocation_id varchar, built_at varchar, replaced varchar, inserted bigint, changed bigint, deleted bigint
);
create table if not exists _hnm.quarantine (
    stage varchar, invocation_id varchar, file varchar, line bigint, reason varchar, excerpt varchar
);
"""


def now() -> str:
    """The present moment in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class Materialization:
    """The last good state of one node: what it was made from, and where it is.

    `location`: folder of the Lance table or model, relative to the warehouse; None for a DuckDB table.
    """

    stage: str
    invocation_id: str
    fingerprint: str
    components: Mapping[str, str]
    data_version: str
    materialized: str
    location: str | None
    lance_version: int | None
    row_count: int
    columns: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    built_at: str = field(default_factory=now)
    seconds: float = 0.0


@dataclass(frozen=True)
class StageRecord:
    """What one run did with one node."""

    stage: str
    status: str
    reason: str = ""
    row_count: int | None = None
    seconds: float = 0.0
    peak_memory_mb: float | None = None
    message: str = ""
    fingerprint: str | None = None
    components: Mapping[str, str] = field(default_factory=dict)


_COLUMNS = tuple(field.name for field in fields(Materialization))


def has_state(connection: "duckdb.DuckDBPyConnection", table: str = "materializations") -> bool:
    """Is there anything that a run has written to that table of the schema `_hnm`?"""
    query = "select 1 from information_schema.tables where table_schema = '_hnm' and table_name = ?"
    return connection.execute(query, [table]).fetchone() is not None


def read_materializations(connection: "duckdb.DuckDBPyConnection") -> dict[str, Materialization]:
    """Every row of `_hnm.materializations` by stage, whether or not what it names is still there."""
    if not has_state(connection):
        return {}
    state = {}
    for row in connection.execute(f"select {', '.join(_COLUMNS)} from _hnm.materializations").fetchall():
        known = dict(zip(_COLUMNS, row, strict=True))
        for name in ("components", "columns", "facts"):
            known[name] = json.loads(known[name])
        state[known["stage"]] = Materialization(**known)
    return state


def read_state(connection: "duckdb.DuckDBPyConnection") -> dict[str, Materialization]:
    """The current state by stage; a stage whose DuckDB table was removed by hand counts as never built."""
    present = {
        f"{schema}.{table}"
        for schema, table in connection.execute(
            "select table_schema, table_name from information_schema.tables"
        ).fetchall()
    }
    return {
        name: done
        for name, done in read_materializations(connection).items()
        if done.materialized == "lance" or (name if "." in name else f"main.{name}") in present
    }


def write_materialization(connection: "duckdb.DuckDBPyConnection", done: Materialization) -> None:
    """Replace the stage's row."""
    connection.execute("delete from _hnm.materializations where stage = ?", [done.stage])
    connection.execute(
        "insert into _hnm.materializations values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            done.stage, done.invocation_id, done.fingerprint, json.dumps(dict(done.components), sort_keys=True),
            done.data_version, done.materialized, done.location, done.lance_version, done.row_count,
            json.dumps(dict(done.columns)), json.dumps(dict(done.facts), default=str), done.built_at, done.seconds,
        ],
    )  # fmt: skip


def write_stage_records(
    connection: "duckdb.DuckDBPyConnection", invocation_id: str, records: Sequence[StageRecord]
) -> None:
    """Replace what the run has recorded of these stages."""
    if not records:
        return
    connection.execute(
        "delete from _hnm.run_stages where invocation_id = ? and list_contains(?, stage)",
        [invocation_id, [record.stage for record in records]],
    )
    rows = [
        (
            invocation_id, record.stage, record.status, record.reason, record.row_count, record.seconds,
            record.peak_memory_mb, record.message, record.fingerprint,
            json.dumps(dict(record.components), sort_keys=True),
        )
        for record in records
    ]  # fmt: skip
    places = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(rows))  # one statement: three times faster than many
    connection.execute(f"insert into _hnm.run_stages values {places}", [value for row in rows for value in row])


def write_quarantine(
    connection: "duckdb.DuckDBPyConnection", stage: str, invocation_id: str, bad_rows: list[BadRow]
) -> None:
    """Replace the stage's quarantined rows."""
    connection.execute("delete from _hnm.quarantine where stage = ?", [stage])
    if bad_rows:
        connection.executemany(
            "insert into _hnm.quarantine values (?, ?, ?, ?, ?, ?)",
            [[stage, invocation_id, str(bad.where.path), bad.where.line, bad.reason, bad.excerpt] for bad in bad_rows],
        )
