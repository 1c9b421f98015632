"""Bring a stage up to date by key: find the keys that changed inputs touch, make their rows anew, keep all others.

The result equals a full rebuild as long as the stage's declaration is true: an output row of a key depends only on
input rows of that key, and on what the declared queries name. A stage that appends makes rows of new input rows alone,
and is built in full when rows that it has seen were changed or deleted.

Where nearly all keys are touched, the stage is built in full as well: that is the same result, sooner.
"""

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from hnm.engine.changes import (
    CONSUMED,
    Tracked,
    changed_keys,
    is_remembered,
    snapshot,
    tracked_inputs,
    untracked_change,
)
from hnm.engine.job import Job
from hnm.engine.scratch import show, table_of
from hnm.errors import StageError
from hnm.project.config import IncrementalConfig
from hnm.sqltext import quote
from hnm.warehouse.digest import count_rows, table_columns

if TYPE_CHECKING:
    import duckdb


KEYS = "build.delta.keys"
NEARLY_ALL = 0.8
"""Share of the keys from which on a stage is built in full."""


@dataclass(frozen=True)
class Delta:
    """The touched keys, in the table `KEYS`."""

    config: IncrementalConfig
    columns: tuple[str, ...]
    tracked: tuple[Tracked, ...]
    count: int

    def restriction(self, name: str) -> str:
        """The WHERE clause that leaves rows of touched keys in input `name`; empty when that is read whole."""
        entry = next((entry for entry in self.tracked if entry.name == name and entry.restricts), None)
        if entry is None:
            return ""
        return f" where {_key(entry.columns)} in (select {_key(self.columns)} from {KEYS})"


def find_delta(connection: "duckdb.DuckDBPyConnection", job: Job) -> Delta | None:
    """The keys touched since the last build; None when the stage has to be built in full.

    Attach the warehouse first, and call `digest_inputs`.
    """
    config, tracked = job.node.config.incremental, tracked_inputs(job)
    if config is None or job.previous is None or untracked_change(job, tracked):
        return None
    if not all(is_remembered(connection, job, entry) for entry in tracked):
        return None
    connection.execute("create schema build.delta")
    for entry in tracked:
        show(connection, entry.name, table_of(job, entry.node))
    found = _appended if config.strategy == "append" else _by_key
    delta = found(connection, job, config, tracked)
    connection.execute("drop table if exists temp.changed")  # a stage may be called so
    return delta


def _by_key(
    connection: "duckdb.DuckDBPyConnection", job: Job, config: IncrementalConfig, tracked: tuple[Tracked, ...]
) -> Delta | None:
    """The keys that any of the inputs touches; None when they are nearly all."""
    by_key = [entry for entry in tracked if entry.restricts]
    keys = [count_rows(connection, f"{CONSUMED}.{snapshot(job, entry)}") for entry in by_key]
    many = NEARLY_ALL * max(keys) if keys else inf
    # A query for touched keys joins whole tables: none is asked when the keys alone decide.
    touched = [_touched(connection, job, config, entry) for entry in by_key]
    if touched and count_rows(connection, f"({_union(touched)})") > many:
        return None
    touched += [_touched(connection, job, config, entry) for entry in tracked if not entry.restricts]
    connection.execute(f"create table {KEYS} as {_union(touched)}")
    count = count_rows(connection, KEYS)
    return Delta(config, config.columns, tracked, count) if count <= many else None


def _appended(
    connection: "duckdb.DuckDBPyConnection", job: Job, config: IncrementalConfig, tracked: tuple[Tracked, ...]
) -> Delta | None:
    """The new keys of the one input; None when rows that were seen before changed or are gone."""
    (entry,) = tracked
    connection.execute(f"create temp table changed as {changed_keys(job, entry)}")
    if count_rows(connection, "changed where change <> 'inserted'"):
        return None
    connection.execute(f"create table {KEYS} as select {entry.listed} from changed")
    return Delta(config, entry.columns, tracked, count_rows(connection, KEYS))


def fits(connection: "duckdb.DuckDBPyConnection", job: Job, delta: Delta) -> bool:
    """Can the new rows join the old ones? False when their columns differ and `on_schema_change` says rebuild.

    Raises StageError when they differ and it says fail. Attach the warehouse first.
    """
    before = table_columns(connection, table_of(job, job.node.name))
    now = table_columns(connection, job.table)
    policy = delta.config.on_schema_change
    if before == now or (policy == "append_new_columns" and before.items() <= now.items()):
        return True
    if policy == "rebuild":
        return False
    changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    raise StageError(
        f"{job.node.name}: the new rows have other columns than the old ones: {', '.join(changed)}",
        where=job.node.where,
        hint=f"`hnm run --select {job.node.name} --full-refresh`, or set `on_schema_change` to another policy",
    )


def merge(connection: "duckdb.DuckDBPyConnection", job: Job, delta: Delta) -> None:
    """Complete the table aside with the last output's rows: those of all untouched keys, or all where it appends.

    Attach the warehouse first.
    """
    key, old = _key(delta.columns), f"insert into {job.table} by name select * from {table_of(job, job.node.name)}"
    if delta.config.strategy == "append":
        connection.execute(old)
        return
    # Where no input holds the key, the stage has made all rows: those of untouched keys are the old ones.
    connection.execute(f"delete from {job.table} where {key} not in (select {key} from {KEYS})")
    connection.execute(f"{old} where {key} not in (select {key} from {KEYS})")


def _touched(connection: "duckdb.DuckDBPyConnection", job: Job, config: IncrementalConfig, entry: Tracked) -> str:
    """SQL for the keys that the changes of one input touch."""
    changed = f"select {entry.listed} from ({changed_keys(job, entry)})"
    if entry.sql is None:
        renamed = zip(entry.columns, config.columns, strict=True)
        return f"select {', '.join(f'{quote(old)} as {quote(new)}' for old, new in renamed)} from ({changed})"
    # One table per input: the view `changed` that its query reads is another for the next input.
    connection.execute(f"create or replace temp table changed as {changed}")
    table = f"build.delta.{quote(entry.name + ' touched')}"
    connection.execute(f"create table {table} as {entry.sql}")
    return f"select {', '.join(map(quote, config.columns))} from {table}"


def _union(queries: list[str]) -> str:
    return f"select distinct * from ({' union all '.join(queries)})"


def _key(columns: tuple[str, ...]) -> str:
    """A key as one value. Unlike a bare column, it compares null with null."""
    return "{" + ", ".join(f"'{index}': {quote(column)}" for index, column in enumerate(columns)) + "}"
