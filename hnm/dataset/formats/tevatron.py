"""Tevatron JSON lines: `query_id, query, positive_passages, negative_passages`, passages as {docid, title, text}."""

import pyarrow as pa

from hnm.dataset.examples import Examples, positions
from hnm.dataset.files import JsonLinesFile
from hnm.dataset.formats._format import Format, Options, Told, write_items
from hnm.dataset.formats._groups import BY_QUERY, as_lists, ids, texts
from hnm.dataset.shards import Output


def _write(examples: Examples, output: Output, options: Options) -> Told:
    def passages(lists: pa.ListArray) -> pa.ListArray:
        docids, contents = ids(lists).values, texts(examples, lists).values
        titles = pa.array([""] * len(docids), pa.string())
        return as_lists(pa.StructArray.from_arrays([docids, titles, contents], ["docid", "title", "text"]), lists)

    def row(items: pa.RecordBatch) -> pa.RecordBatch:
        query = examples.rows.take(positions(items, "position"), ["query"]).column(0)
        columns = [items["query_id"], query, passages(items["positives"]), passages(items["negatives"])]
        return pa.record_batch(columns, ["query_id", "query", "positive_passages", "negative_passages"])

    return Told(write_items(examples, output, BY_QUERY, {"negatives": options.negatives}, JsonLinesFile, row))


FORMAT = Format(
    "Tevatron: a JSON object per query with all its positive and negative passages, ids included",
    _write,
    columns=("query_id", "query", "positive_passages", "negative_passages"),
    loads_as="json",
)
