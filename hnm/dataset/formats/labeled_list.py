"""sentence-transformers lists: `query, documents, labels`, the positive (1) first, then its negatives (0)."""

import numpy as np
import pyarrow as pa

from hnm.dataset.examples import Examples, positions
from hnm.dataset.files import ParquetFile
from hnm.dataset.formats._format import Format, Options, Told, write_items
from hnm.dataset.formats._groups import GROUPS, as_lists, ids, offsets, texts
from hnm.dataset.shards import Output

QUERY = f"""{GROUPS}
select
    split, query_id, position, width + 1 as width,
    list_prepend({{'position': position, 'is_positive': true, 'id': positive_id}}, negatives) as documents
from pairs join negatives_of_pair using (split, query_id, positive_id) order by place
"""


def _write(examples: Examples, output: Output, options: Options) -> Told:
    def row(items: pa.RecordBatch) -> pa.RecordBatch:
        query = examples.rows.take(positions(items, "position"), ["query"]).column(0)
        lists = items["documents"]
        labels = np.zeros(int(offsets(lists)[-1]), np.float32)
        labels[offsets(lists)[:-1]] = 1
        columns = [query, texts(examples, lists), as_lists(pa.array(labels), lists)]
        return pa.record_batch(columns, ["query", "documents", "labels"])

    def with_ids(items: pa.RecordBatch) -> pa.RecordBatch:
        return pa.record_batch([items["query_id"], ids(items["documents"])], ["query_id", "doc_ids"])

    values = {"negatives": options.negatives}
    kept = with_ids if options.ids else None
    return Told(write_items(examples, output, QUERY, values, ParquetFile, row, kept))


FORMAT = Format(
    "sentence-transformers: a row per pair, positive and negatives in one list, for the listwise losses of rerankers",
    _write,
    columns=("query", "documents", "labels"),
    loads_as="parquet",
)
