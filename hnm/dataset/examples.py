"""The training examples of one dataset version that a selection keeps: their ids, sorted; their texts stay on disk.

The index is a DuckDB table in memory, which spills to disk where it must: `examples(place, position, split, query_id,
positive_id, negative_id, strategy, selected_rank)`, of which it has the columns that the stage has. `place` counts in
the order of the ids, so that the same rows come in the same order however they are stored; `position` is where a row
stands in the Lance table.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa

from hnm.dataset.ahead import ahead
from hnm.dataset.rows import Positions, Rows
from hnm.dataset.selection import Selection
from hnm.errors import QueryError, StageError, WarehouseError, nearest

if TYPE_CHECKING:
    from hnm.context import Settings

IDS = ("query_id", "positive_id", "negative_id")
TEXTS = ("query", "positive", "negative")
WITHOUT_SPLIT = "train"
INDEX_BATCH = 32_768
_MEMORY = "512MB"
_ORDER = ("split", "query_id", "positive_id", "strategy", "selected_rank", "negative_id", "position")


class Examples:
    """See the module. Rows without a split count as `train`. Make one with `examples_of`."""

    def __init__(self, rows: Rows, selection: Selection, connection: duckdb.DuckDBPyConnection) -> None:
        self.rows = rows
        self.columns = rows.columns
        self.connection = connection
        _index(connection, rows, selection)

    def __len__(self) -> int:
        return int(self.value("select count(*) from examples"))

    def value(self, query: str, values: Mapping[str, Any] | None = None) -> Any:
        """The one value of a query over the index."""
        ((value,),) = self.connection.execute(query, dict(values or {})).fetchall()
        return value

    def check_needs(self, needs: Sequence[str], what: str) -> None:
        """Raises StageError when the stage lacks columns that `what` is made of."""
        missing = [name for name in needs if name not in self.columns]
        if missing:
            raise StageError(
                f"{self.rows.stage} has no column {missing[0]!r}, which {what} is made of",
                why=f"it has {', '.join(self.columns)}",
                hint=nearest(missing[0], self.columns) or "`--format parquet` writes any table",
            )

    def items(self, query: str, values: Mapping[str, Any] | None = None) -> "Iterator[tuple[str, int, Items]]":
        """What a format writes, one per row of `query` over the index, which has a column `split`: split by split, the
        split's name, how many there are, and the items themselves in the order of the query."""
        self.connection.execute(f"create or replace table items as {query}", dict(values or {}))
        counts = self.connection.execute("select split, count(*) from items group by split order by split").fetchall()
        for split, count in counts:
            yield split, count, self._stream("select * exclude (split) from items where split = $split", split)

    def stream(self, query: str) -> "Items":
        """Rows of a query over the index."""
        return self._stream(query, None)

    def _stream(self, query: str, split: str | None) -> "Items":
        cursor = self.connection.cursor()
        result = cursor.sql(query, params=None if split is None else {"split": split})
        for batch in result.to_arrow_reader(INDEX_BATCH):
            widths = batch["width"] if "width" in batch.schema.names else np.ones(batch.num_rows, np.int64)
            for part in self.rows.slices(np.asarray(widths)):
                yield batch.slice(part.start, part.stop - part.start)

    def read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All columns asked for of every row, in order of `place`; a plain scan when the rows are stored so."""
        whole = self.value(
            "select count(*) = $rows and bool_and(place = position) from examples", {"rows": len(self.rows)}
        )
        if whole:
            yield from ahead(self.rows.scan(columns))
            return
        items = self.stream("select position from examples order by place")
        yield from ahead(self.rows.take(positions(batch, "position"), columns) for batch in items)

    def documents(self, items: pa.RecordBatch) -> pa.StringArray:
        """Texts of documents: of items with `position`, and `is_positive` to say in which column the text stands."""
        wanted = items["is_positive"].to_numpy(zero_copy_only=False)
        place = positions(items, "position")
        texts = [
            self.rows.take(place[mask], [column]).column(0)
            for mask, column in ((wanted, "positive"), (~wanted, "negative"))
        ]
        order = np.argsort(np.concatenate([np.flatnonzero(wanted), np.flatnonzero(~wanted)]), kind="stable")
        return pa.concat_arrays(texts).take(pa.array(order))


Items = Iterator[pa.RecordBatch]


def positions(batch: pa.RecordBatch, column: str) -> Positions:
    """A column of positions as numpy sees it."""
    return np.asarray(batch[column].to_numpy(zero_copy_only=False), dtype=np.int64)


@contextmanager
def examples_of(
    dataset: Any, stage: str, selection: Selection, settings: "Settings", near: Path | None = None
) -> Iterator[Examples]:
    """The examples of a Lance dataset. What does not fit into memory spills into a folder in `near`, which is removed.

    Raises QueryError when the selection makes no sense for the table.
    """
    with TemporaryDirectory(prefix=".hnm-index.", dir=near) as folder:
        config: dict[str, Any] = {
            "memory_limit": _MEMORY,
            "threads": settings.cores,
            "temp_directory": folder,
            "python_enable_replacements": False,
        }
        connection = duckdb.connect(":memory:", config=config)
        connection.execute("set enable_external_access = false")  # only now: before, it forbids the temporary folder
        try:
            yield Examples(Rows(dataset, stage), selection, connection)
        finally:
            connection.close()


def _index(connection: duckdb.DuckDBPyConnection, rows: Rows, selection: Selection) -> None:
    """Make the table `examples`."""
    selection.check_columns(rows.columns, rows.stage)
    kept = [name for name in ("split", *IDS, "strategy", "selected_rank") if name in rows.columns]
    condition, values = selection.condition()
    kept_sql = "".join(f", {_CASTS.get(name, f'{name}::varchar')} as {name}" for name in kept)
    select = f"select position{kept_sql} from batches where {condition}"
    seen: dict[str, set[str]] = {name: set() for name in ("strategy", "split") if name in kept}
    unreadable: list[WarehouseError] = []
    batches = _numbered(rows, {*kept, *selection.columns(rows.columns)}, seen, unreadable)
    connection.register("batches", batches)
    try:
        connection.execute(f"create table found as {select}", values)
    except duckdb.Error as error:
        if unreadable:  # what a stream raises goes through DuckDB, which makes its own error of it
            raise unreadable[0] from error
        raise QueryError(
            "the rows cannot be selected",
            why=str(error).splitlines()[0],
            hint=f"`where` is a condition in SQL over: {', '.join(rows.columns)}",
        ) from None
    connection.unregister("batches")
    for name, known in seen.items():
        selection.check_values(name, known if len(rows) else set(selection.strategies + selection.splits))
    _order(connection, kept, selection)


_CASTS = {"split": f"coalesce(split::varchar, '{WITHOUT_SPLIT}')", "selected_rank": "selected_rank::bigint"}


def _numbered(
    rows: Rows, columns: set[str], seen: dict[str, set[str]], unreadable: list[WarehouseError]
) -> pa.RecordBatchReader:
    """All rows with their `position`; `seen` gets the values of its columns, `unreadable` why reading failed."""
    named = [name for name in rows.columns if name in columns]

    def batches() -> Iterator[pa.RecordBatch]:
        position = 0
        try:
            for batch in rows.scan(named) if named else _bare(len(rows)):
                for name, known in seen.items():
                    known.update(value for value in batch[name].unique().to_pylist() if value is not None)
                numbers = pa.array(np.arange(position, position + batch.num_rows, dtype=np.int64))
                yield batch.append_column("position", numbers)
                position += batch.num_rows
        except WarehouseError as error:
            unreadable.append(error)
            raise

    schema = rows.schema(named) if named else pa.schema({"row": pa.int64()})
    return pa.RecordBatchReader.from_batches(schema.append(pa.field("position", pa.int64())), batches())


def _bare(count: int) -> Iterator[pa.RecordBatch]:
    """Batches of so many rows without a column."""
    for start in range(0, count, INDEX_BATCH):
        rows = np.arange(min(INDEX_BATCH, count - start))
        yield pa.record_batch({"row": rows})


def _order(connection: duckdb.DuckDBPyConnection, kept: Sequence[str], selection: Selection) -> None:
    """From what was `found`, `examples` with places: by split, query and positive, then the negatives in turn."""
    by = {name: name for name in _ORDER if name in {*kept, "position"}}
    if selection.strategies and "strategy" in by:
        by["strategy"] = "list_position($strategies, strategy)"
    if "selected_rank" in by:
        by["selected_rank"] = "selected_rank nulls last"
    split = "" if "split" in kept else f", '{WITHOUT_SPLIT}' as split"
    # Numbered after sorting, which takes all cores: a window over all rows sorts them with one.
    connection.execute(
        f"create table examples as select row_number() over () - 1 as place, *{split} "
        f"from (select * from found order by {', '.join(by.values())})",
        {"strategies": list(selection.strategies)} if selection.strategies and "strategy" in by else {},
    )
    connection.execute("drop table found")
