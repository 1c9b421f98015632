"""JSON lines: documents, queries, judgments or impressions, one object per line, plain or gzipped."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hnm.context import Context
from hnm.readers._json import json_rows
from hnm.readers._options import MappedParams, source_files
from hnm.readers._read import read_table
from hnm.transform import transform

if TYPE_CHECKING:
    import pyarrow as pa

    from hnm.inputs import Inputs

TABLES: tuple[str, ...] = ()


@transform(params=MappedParams, files=source_files)
def jsonl(inputs: "Inputs", params: MappedParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """Read one table. Raises SourceError for missing files, missing columns, and bad rows when they are refused."""
    table = params.mapped_table()
    yield from read_table(table, source_files(params, context.root), json_rows(table), params.on_bad_rows, context)
