"""What differs between two versions of a dataset, and which change of code, configuration or data made it differ."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hnm.context import Settings
from hnm.dataset.compare import compare
from hnm.dataset.find import DatasetVersion
from hnm.dataset.record import Record, read_record
from hnm.dataset.scratch import reading
from hnm.dataset.statistics import Statistics, statistics
from hnm.engine.fingerprint import differences, without_inputs
from hnm.errors import WarehouseError
from hnm.warehouse.digest import table_columns
from hnm.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Cause:
    """A stage that was built from something else than before, in words."""

    stage: str
    changes: tuple[str, ...]


@dataclass(frozen=True)
class DatasetDiff:
    """`counts`: rows of the table of changes by kind, see `hnm.dataset.compare`; `examples`: the first ones of each,
    with texts where the dataset has them. `causes`: None when a version has no record. `columns`: of one version alone.
    """

    before: DatasetVersion
    after: DatasetVersion
    counts: Mapping[str, int]
    examples: Mapping[str, list[dict[str, Any]]]
    statistics: tuple[Statistics, Statistics]
    columns_gone: tuple[str, ...]
    columns_new: tuple[str, ...]
    causes: tuple[Cause, ...] | None


def diff(
    warehouse: Warehouse,
    before: DatasetVersion,
    after: DatasetVersion,
    key: tuple[str, ...],
    settings: Settings,
    examples: int = 3,
) -> DatasetDiff:
    """Compare two versions of one stage. `key`: its unique key. Raises WarehouseError when one cannot be read."""
    records = read_record(warehouse, before), read_record(warehouse, after)
    with _compared(before, after, key, records, settings) as connection:
        rows = connection.execute("select kind, count(*) from changes group by kind order by kind").fetchall()
        old, new = (table_columns(connection, side) for side in ("before", "after"))
        return DatasetDiff(
            before,
            after,
            dict(rows),
            {kind: _examples(connection, kind, examples) for kind, _ in rows} if examples else {},
            (statistics(connection, "before"), statistics(connection, "after")),
            tuple(name for name in old if name not in new),
            tuple(name for name in new if name not in old),
            _causes(warehouse, *records),
        )


@contextmanager
def changed_rows(
    warehouse: Warehouse, before: DatasetVersion, after: DatasetVersion, key: tuple[str, ...], settings: Settings
) -> "Iterator[pa.RecordBatchReader]":
    """All changes as one table, streamed; see `hnm.dataset.compare.compare` for its columns."""
    records = read_record(warehouse, before), read_record(warehouse, after)
    with _compared(before, after, key, records, settings) as connection:
        yield connection.sql("select * from changes order by all").to_arrow_reader(BATCH_ROWS)


@contextmanager
def changes_table(
    warehouse: Warehouse, before: DatasetVersion, after: DatasetVersion, settings: Settings
) -> "Iterator[pa.Table]":
    """The same, to be read any number of times: mapped from a temporary file, not in memory.

    Rows of what is no table of triplets are told apart by the unique key that the newer version was built with.
    """
    import pyarrow as pa

    record = read_record(warehouse, after)
    key = record.components.get("unique_key", "") if record else ""
    with (
        changed_rows(warehouse, before, after, tuple(key.split(", ")) if key else (), settings) as rows,
        TemporaryDirectory(prefix="hnm-") as folder,
    ):
        path = Path(folder) / "changes.arrow"
        with pa.ipc.new_file(path, rows.schema) as file:
            for batch in rows:
                file.write_batch(batch)
        with pa.memory_map(str(path)) as mapped:
            yield pa.ipc.open_file(mapped).read_all()


@contextmanager
def _compared(
    before: DatasetVersion,
    after: DatasetVersion,
    key: tuple[str, ...],
    records: tuple[Record | None, Record | None],
    settings: Settings,
) -> "Iterator[duckdb.DuckDBPyConnection]":
    import duckdb

    if before.stage != after.stage:
        raise WarehouseError(f"{before.name} and {after.name} are of two stages", hint="name two versions of one stage")
    by = next((record.version_by for record in records if record), None)
    with reading({"before": before, "after": after}, settings) as connection:
        try:
            compare(connection, before.stage, key, by)
            yield connection
        except duckdb.Error as error:
            hint = f"`hnm dataset verify {before.name}` and `hnm dataset verify {after.name}` say which is damaged"
            if isinstance(error, duckdb.OutOfMemoryException):
                hint = "raise `memory_limit` under `settings` in project.yml"
            what = f"{before.name} and {after.name} cannot be compared"
            raise WarehouseError(what, why=str(error).splitlines()[0], hint=hint) from None


def _examples(connection: "duckdb.DuckDBPyConnection", kind: str, limit: int) -> list[dict[str, Any]]:
    """The first changes of a kind, null columns left out, with the texts of the query and the documents."""
    relation = connection.execute("select * from changes where kind = ? order by all limit ?", [kind, limit])
    names = [column[0] for column in relation.description]
    rows = [dict(zip(names, row, strict=True)) for row in relation.fetchall()]
    found = [{name: value for name, value in row.items() if value is not None and name != "kind"} for row in rows]
    return [row | _texts(connection, row) for row in found]


_TEXTS = (
    ("query", "query", "query_id", "query_id", ("after", "before")),
    ("positive", "positive", "positive_id", "positive_id", ("after", "before")),
    ("negative_before_text", "negative", "negative_id", "negative_before", ("before",)),
    ("negative_after_text", "negative", "negative_id", "negative_after", ("after",)),
)
"""A text's name in an example; its column and that of its id in the dataset; the id in the change; where to look."""


def _texts(connection: "duckdb.DuckDBPyConnection", row: Mapping[str, Any]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, text, id_column, given, sides in _TEXTS:
        for side in sides:
            if given in row and name not in texts and text in table_columns(connection, side):
                sql = f"select any_value({text}) from {side} where {id_column} = ?"
                ((value,),) = connection.execute(sql, [row[given]]).fetchall()
                texts |= {name: value} if value is not None else {}
    return texts


def _causes(warehouse: Warehouse, before: Record | None, after: Record | None) -> tuple[Cause, ...] | None:
    """Stages with own changes: what only passes on a change from above is no cause. Sources come first."""
    if before is None or after is None:
        return None
    old, new = (
        {record.stage: record.components} | {entry.stage: entry.components for entry in reversed(record.ancestry)}
        for record in (before, after)
    )
    known = warehouse.versions()
    found = []
    for stage in dict.fromkeys(reversed([*new, *old])):
        if stage not in old or stage not in new:
            found.append(Cause(stage, ("is no longer read",) if stage in old else ("is read now",)))
            continue
        if not old[stage] or not new[stage]:
            found.append(Cause(stage, ("what it was built from is not known",)))
            continue
        changes = differences(without_inputs(old[stage]), without_inputs(new[stage]), known)
        if changes:
            found.append(Cause(stage, tuple(changes)))
    return tuple(found)
