"""Intervals, such as the time between two moments, as DuckDB writes and reads them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

NANOSECONDS = 10**9


def spans_as_text(rows: "pa.RecordBatchReader") -> "pa.RecordBatchReader":
    """The rows with text in place of intervals, for which neither JSON nor Parquet as Arrow writes it has a type."""
    import pyarrow as pa

    spans = {index for index, field in enumerate(rows.schema) if pa.types.is_interval(field.type)}
    if not spans:
        return rows
    fields = [field.with_type(pa.string()) if index in spans else field for index, field in enumerate(rows.schema)]
    schema = pa.schema(fields)

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            columns = [
                pa.array([value and span(*value) for value in column.to_pylist()], pa.string())
                if index in spans
                else column
                for index, column in enumerate(batch.columns)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def span(months: int, days: int, nanoseconds: int) -> str:
    """An interval in words: `2 months 1 day 03:04:05.5`."""
    counted = ((months, "month"), (days, "day"))
    parts = [f"{count} {unit if abs(count) == 1 else unit + 's'}" for count, unit in counted if count]
    if nanoseconds or not parts:
        seconds, rest = divmod(abs(nanoseconds), NANOSECONDS)
        fraction = f".{rest:09}".rstrip("0") if rest else ""
        sign = "-" if nanoseconds < 0 else ""
        parts.append(f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}")
    return " ".join(parts)
