"""Read-only SQL over a warehouse: DuckDB's tables and Lance's alike."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from hnm.context import Settings
from hnm.dataset.diff import changes_table
from hnm.dataset.find import find
from hnm.errors import QueryError, nearest
from hnm.warehouse.damage import DAMAGED, tells_of_damage
from hnm.warehouse.database import is_interrupt
from hnm.warehouse.lance_table import rebuild_hint, unreadable_stream
from hnm.warehouse.state import read_state
from hnm.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH_ROWS = 65_536
_LITERAL = re.compile(r"'(?:''|[^'])*'")
_VERSION = re.compile(r'"(\w+@[\w.-]+)"')


@contextmanager
def query(
    warehouse: Warehouse,
    sql: str,
    values: list[Any] | None = None,
    settings: Settings | None = None,
    declared: Iterable[str] = (),
) -> Iterator["pa.RecordBatchReader"]:
    """The rows of `sql`, streamed. `?` in it takes `values` in turn. `"triplets@v1"` names a version of a Lance table,
    `"triplets@v1..v2"` the table of what differs between two, and `"triplets@v1.."` that against the current one.

    `settings` bound the comparison of two versions. `declared`: stages that a project has, built or not.
    Raises QueryError when it fails or would write, WarehouseError when there is no such version.
    """
    import duckdb

    state = warehouse.state()
    named = {name: name.split("@", 1) for name in _VERSION.findall(_LITERAL.sub("", sql))}
    # Other names may have an @ too, such as a column "RR@10". A table whose current version was deleted has others.
    versions = {
        name: (stage, version)
        for name, (stage, version) in named.items()
        if stage in state or warehouse.lance_path(stage).exists()
    }
    bounds = settings or Settings()
    with ExitStack() as opened:
        tables = {
            name: opened.enter_context(_opened(warehouse, *version, bounds)) for name, version in versions.items()
        }
        connection = opened.enter_context(warehouse.querying(state, _words(sql)))
        for name, rows in tables.items():
            connection.register(name, rows)
        try:
            _check_reads_only(connection, sql)
            yield _rows(connection.sql(sql, params=values or None).to_arrow_reader(BATCH_ROWS))
        except duckdb.CatalogException as error:
            raise _missing(error, connection, state, set(declared)) from None
        except duckdb.Error as error:
            if tells_of_damage(str(error)):
                raise  # the file's own error says more
            raise _failed(error, None) from None
        except RuntimeError as error:
            if is_interrupt(error):
                raise KeyboardInterrupt from None
            raise


@contextmanager
def _opened(warehouse: Warehouse, stage: str, version: str, settings: Settings) -> Iterator[Any]:
    """What `"stage@version"` names, as DuckDB reads it."""
    before, between, after = version.partition("..")
    if not between:
        yield find(warehouse, stage, version).open()
        return
    old, new = find(warehouse, stage, before), find(warehouse, stage, after or None)
    with changes_table(warehouse, old, new, settings) as changes:
        yield changes


def _check_reads_only(connection: "duckdb.DuckDBPyConnection", sql: str) -> None:
    import duckdb

    reading = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.PRAGMA)
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(f"one query at a time, not {len(statements)}")
    if statements[0].type == duckdb.StatementType.MULTI:  # DuckDB would make a type of the values first
        raise QueryError(
            "PIVOT has to name the values that become columns", hint="`pivot … on column in ('one', 'another') using …`"
        )
    if statements[0].type not in reading:
        raise QueryError(
            "queries are read-only",
            why=f"this is a {statements[0].type.name} statement",
            hint="tables are made by stages: put the SQL into sql/NAME.sql and list NAME under `stages:` in pipelines/",
        )


def _rows(found: "pa.RecordBatchReader") -> "pa.RecordBatchReader":
    """The rows with a name of its own for each column (`a`, `a_1`), and with failures of late batches as QueryError."""
    import pyarrow as pa

    names: list[str] = []
    for name in found.schema.names:
        taken = {known.lower() for known in names}
        others = (f"{name}_{number}" for number in count(1))
        names.append(name if name.lower() not in taken else next(n for n in others if n.lower() not in taken))
    schema = pa.schema([field.with_name(name) for field, name in zip(found.schema, names, strict=True)])

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for batch in found:
                yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)
        except (pa.ArrowException, OSError) as error:
            raise _failed(error, None) from None

    return pa.RecordBatchReader.from_batches(schema, batches())


def _missing(
    error: Exception, connection: "duckdb.DuckDBPyConnection", state: Mapping[str, Any], declared: set[str]
) -> QueryError:
    """What to say of a table that is not there: its files are gone, it was not built yet, or it is another's name."""
    name = str(error).partition("Table with name ")[2].split(" ")[0]
    if name in read_state(connection).keys() - state.keys():
        return _failed(error, f"its files are gone: `hnm run --select {name}` builds it anew")
    if name in declared - state.keys():
        return QueryError(f"{name} has not been built yet", hint=f"`hnm run --select +{name}` builds it")
    return _failed(error, nearest(name, declared | state.keys()) or "`hnm ls` lists the tables")


def _words(sql: str) -> set[str]:
    """Every word of the query in lower case: the Lance tables that it may name are opened, and no others."""
    return set(re.findall(r"\w+", sql.lower()))


def _failed(error: Exception, hint: str | None) -> QueryError:
    first, *rest = str(error).splitlines()
    damaged = unreadable_stream(str(error))
    hint = rebuild_hint(damaged) if damaged else hint
    hint = DAMAGED if tells_of_damage(str(error)) else hint
    return QueryError(first, why="\n".join(rest).strip() or None, hint=hint)
