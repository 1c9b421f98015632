"""What a transform reads: its inputs as DuckDB views under the names that the stage gave them, and model folders."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.errors import StageError, nearest
from hnm.sqltext import quote

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH_ROWS = 65_536


@dataclass(frozen=True, kw_only=True)
class Origin:
    """`name`: the node that an input is, or the version of it, such as `triplets@v1`. `version`: its data version.
    `tables`: the data versions of the tables that it was made from, by name.
    """

    name: str | None = None
    version: str | None = None
    tables: Mapping[str, str] = field(default_factory=dict)


class Inputs:
    """The inputs of one stage. Tables are read through SQL, so that memory is bounded by the batch."""

    def __init__(
        self,
        connection: "duckdb.DuckDBPyConnection",
        tables: tuple[str, ...],
        registered: Mapping[str, Any] | None = None,
        models: Mapping[str, Path] | None = None,
        facts: Mapping[str, Mapping[str, Any]] | None = None,
        origins: Mapping[str, Origin] | None = None,
    ) -> None:
        """`tables`: names that `connection` knows. `registered`: Arrow tables or Lance datasets by name.

        `facts`: what each input recorded when it was built. `origins`: its data version, and of what it was made.
        """
        self._connection = connection
        self._registered = dict(registered or {})
        self.tables = (*tables, *self._registered)
        self.models = dict(models or {})
        self.facts = dict(facts or {})
        self._origins = dict(origins or {})

    @classmethod
    def of(cls, _models: Mapping[str, Path] | None = None, **tables: "pa.Table") -> "Inputs":
        """Inputs over Arrow tables in memory: for tests, and for calling a transform by hand."""
        import duckdb

        return cls(duckdb.connect(":memory:"), (), tables, _models)

    def __contains__(self, name: str) -> bool:
        return name in self.tables or name in self.models

    def _cursor(self) -> "duckdb.DuckDBPyConnection":
        """A connection of its own per query, so that several streams can be open at once."""
        cursor = self._connection.cursor()
        for name, data in self._registered.items():
            cursor.register(name, data)
        return cursor

    def sql(
        self, query: str, values: Mapping[str, Any] | None = None, batch_rows: int = BATCH_ROWS
    ) -> "pa.RecordBatchReader":
        """Rows of a query over the inputs, streamed in batches. `$name` in the query takes `values[name]`.

        There is always one batch, an empty one when there are no rows: so `yield from inputs.sql(...)` is a transform
        whose columns are known in any case.
        """
        import pyarrow as pa

        rows = self._cursor().sql(query, params=dict(values) if values else None).to_arrow_reader(batch_rows)
        return pa.RecordBatchReader.from_batches(rows.schema, _at_least_one(rows))

    def in_order(
        self,
        table: str,
        columns: str,
        by: str,
        condition: str = "true",
        values: Mapping[str, Any] | None = None,
        batch_rows: int = BATCH_ROWS,
    ) -> "pa.RecordBatchReader":
        """Columns of the rows of an input that meet a condition, in the order of `by`; all three are SQL.

        What is stored in that order, as tables of vectors are, is streamed as it is. DuckDB could not sort it in less
        memory than its vectors take, whatever `memory_limit` says.
        """
        rows = f"from {quote(table)} where {condition}"
        late = f"select row({by}) < lag(row({by})) over () as late {rows}"  # DuckDB keeps the order of what is stored
        stored_so = self.table(f"select count(*) = 0 from ({late}) where late", values).column(0)[0].as_py()
        return self.sql(f"select {columns} {rows}{'' if stored_so else f' order by {by}'}", values, batch_rows)

    def table(self, query: str, values: Mapping[str, Any] | None = None) -> "pa.Table":
        """All rows of a query over the inputs; only for what must be in memory at once."""
        return self.sql(query, values).read_all()

    def origin(self, name: str) -> Origin:
        """Which version of an input this is; without versions when nothing published it, as in a test."""
        return self._origins.get(name, Origin())

    def count(self, name: str) -> int:
        """How many rows an input has."""
        return int(self.table(f"select count(*) from {quote(name)}").column(0)[0].as_py())

    def model(self, name: str) -> Path:
        """The folder of an input that is a model stage. Raises StageError when there is none of that name."""
        if name not in self.models:
            raise StageError(f"input {name!r} is not a model", hint=nearest(name, self.models))
        return self.models[name]


def _at_least_one(rows: "pa.RecordBatchReader") -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa

    batch = None
    for batch in rows:
        yield batch
    if batch is None:
        yield pa.RecordBatch.from_pylist([], rows.schema)
