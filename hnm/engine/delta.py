"""Bring a stage up to date by key: find the keys that changed inputs touch, make their rows anew, keep all others.

The result equals a full rebuild as long as the stage's declaration is true: an output row of a key depends only on
input rows of that key, and on what the declared queries name. A stage that appends makes rows of new input rows alone,
and is built in full when rows that it has seen were changed or deleted.

Where nearly all keys are touched, the stage is built in full as well: that is the same result, sooner.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from hnm.engine.changes import (
    CONSUMED,
    Tracked,
    changed_keys,
    declared_inputs,
    is_remembered,
    snapshot,
    untracked_change,
)
from hnm.engine.job import Job
from hnm.engine.scratch import table_of
from hnm.engine.touched import check_queries, touched_by_query
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
    """The touched keys, in the table `KEYS`. `restrictions`: the WHERE clause that leaves rows of touched keys, by the
    input that holds the key.
    """

    config: IncrementalConfig
    columns: tuple[str, ...]
    count: int
    restrictions: Mapping[str, str]

    def restriction(self, name: str) -> str:
        """The WHERE clause for input `name`; empty when that is read whole."""
        return self.restrictions.get(name, "")


def find_delta(connection: "duckdb.DuckDBPyConnection", job: Job) -> Delta | None:
    """The keys touched since the last build; None when the stage has to be built in full.

    Attach the warehouse first, and call `digest_inputs`. Raises StageError when a query for touched keys is wrong.
    """
    config, tracked = job.node.config.incremental, tuple(declared_inputs(job))
    if config is None:
        return None
    connection.execute("create schema build.delta")
    check_queries(connection, job, config, tracked)
    if job.previous is None or untracked_change(job, tracked):
        return None
    if not all(is_remembered(connection, job, entry) for entry in tracked):
        return None
    found = _appended if config.strategy == "append" else _by_key
    return found(connection, job, config, tracked)


def _by_key(
    connection: "duckdb.DuckDBPyConnection", job: Job, config: IncrementalConfig, tracked: tuple[Tracked, ...]
) -> Delta | None:
    """The keys that any of the inputs touches; None when they are nearly all."""
    by_key = [entry for entry in tracked if entry.restricts]
    keys = [count_rows(connection, f"{CONSUMED}.{snapshot(job, entry)}") for entry in by_key]
    many = NEARLY_ALL * max(keys) if keys else inf
    # A query for touched keys joins whole tables: none is asked when the keys alone decide.
    touched = [_renamed(job, config, entry) for entry in by_key]
    if touched and count_rows(connection, f"({_union(touched)})") > many:
        return None
    touched += [touched_by_query(connection, job, config, entry) for entry in tracked if entry.sql is not None]
    connection.execute(f"create table {KEYS} as {_union(touched)}")
    delta = _delta(connection, job, config, tracked, config.columns)
    return delta if delta.count <= many else None


def _appended(
    connection: "duckdb.DuckDBPyConnection", job: Job, config: IncrementalConfig, tracked: tuple[Tracked, ...]
) -> Delta | None:
    """The new keys of the one input; None when rows that were seen before changed or are gone."""
    (entry,) = tracked
    connection.execute(f"create table {KEYS} as {changed_keys(job, entry)}")
    if count_rows(connection, f"{KEYS} where change <> 'inserted'"):
        return None
    connection.execute(f"alter table {KEYS} drop column change")
    return _delta(connection, job, config, tracked, entry.columns)


def _delta(
    connection: "duckdb.DuckDBPyConnection",
    job: Job,
    config: IncrementalConfig,
    tracked: tuple[Tracked, ...],
    columns: tuple[str, ...],
) -> Delta:
    restrictions = {
        entry.name: f" where {_touched(connection, table_of(job, entry.node), entry.columns, columns)}"
        for entry in tracked
        if entry.restricts
    }
    return Delta(config, columns, count_rows(connection, KEYS), restrictions)


def fits(connection: "duckdb.DuckDBPyConnection", job: Job) -> bool:
    """Can the new rows join the old ones? False when their columns differ and `on_schema_change` says rebuild.

    A stage that is built in full because nearly all keys are touched is held to the same: how many they are must not
    decide whether it fails. Raises StageError when the columns differ and it says fail. Attach the warehouse first.
    """
    config = job.node.config.incremental
    if config is None or job.previous is None or untracked_change(job, tuple(declared_inputs(job))):
        return True
    before = table_columns(connection, table_of(job, job.node.name))
    now = table_columns(connection, job.table)
    policy = config.on_schema_change
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
    old = f"insert into {job.table} by name select * from {table_of(job, job.node.name)}"
    if delta.config.strategy == "append":
        connection.execute(old)
        return
    touched = _touched(connection, job.table, delta.columns, delta.columns)
    # Where no input holds the key, the stage has made all rows: those of untouched keys are the old ones.
    connection.execute(f"delete from {job.table} where not ({touched})")
    connection.execute(f"{old} where not ({touched})")


def _renamed(job: Job, config: IncrementalConfig, entry: Tracked) -> str:
    """SQL for the keys that changed in an input that holds the key, under the names that the stage gives them."""
    renamed = zip(entry.columns, config.columns, strict=True)
    return (
        f"select {', '.join(f'{quote(old)} as {quote(new)}' for old, new in renamed)} from ({changed_keys(job, entry)})"
    )


def _union(queries: list[str]) -> str:
    return f"select distinct * from ({' union all '.join(queries)})"


def _touched(
    connection: "duckdb.DuckDBPyConnection", table: str, columns: tuple[str, ...], keys: tuple[str, ...]
) -> str:
    """SQL condition: the `columns` of a row of `table` are one of the touched keys, whose columns are called `keys`.

    A key is compared as one value, which compares null with null, unlike bare columns; and as text where only one side
    is text, as when a stage casts it.
    """
    own, touched = table_columns(connection, table), table_columns(connection, KEYS)
    left, right = [], []
    for column, key in zip(columns, keys, strict=True):
        cast = "::varchar" if (own[column] == "VARCHAR") != (touched[key] == "VARCHAR") else ""
        left.append(f"{quote(column)}{cast}")
        right.append(f"{quote(key)}{cast}")
    return f"{_struct(left)} in (select {_struct(right)} from {KEYS})"


def _struct(values: list[str]) -> str:
    return "{" + ", ".join(f"'{index}': {value}" for index, value in enumerate(values)) + "}"
