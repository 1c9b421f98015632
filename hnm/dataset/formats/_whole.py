"""Rows with all their columns, whatever they are."""

from typing import Literal

import pyarrow as pa

from hnm.dataset.examples import Examples, positions
from hnm.dataset.files import Kind
from hnm.dataset.formats._format import Format, Options, Told, write_items
from hnm.dataset.shards import Output

QUERY = "select split, position from examples order by place"


def whole(summary: str, kind: Kind, loads_as: Literal["parquet", "json", "csv"]) -> Format:
    """The format that writes every row of the selection with every column, in the order of the ids."""

    def write(examples: Examples, output: Output, options: Options) -> Told:
        def row(items: pa.RecordBatch) -> pa.RecordBatch:
            return examples.rows.take(positions(items, "position"), examples.columns)

        return Told(write_items(examples, output, QUERY, {}, kind, row))

    return Format(summary, write, needs=(), loads_as=loads_as, takes_negatives=False)
