"""sentence-transformers pairs: `query, document, label`, 1 for a positive and 0 for a negative."""

import pyarrow as pa

from hnm.dataset.examples import Examples, positions
from hnm.dataset.files import ParquetFile
from hnm.dataset.formats._format import Format, Options, Told, write_items
from hnm.dataset.formats._groups import GROUPS
from hnm.dataset.shards import Output

QUERY = f"""{GROUPS}
select split, query_id, positive_id as doc_id, position, true as is_positive, place from pairs
union all
select split, query_id, negative_id, position, false, place from of_query where nth <= coalesce($negatives, nth)
order by split, query_id, is_positive desc, place
"""


def _write(examples: Examples, output: Output, options: Options) -> Told:
    def row(items: pa.RecordBatch) -> pa.RecordBatch:
        query = examples.rows.take(positions(items, "position"), ["query"]).column(0)
        labels = items["is_positive"].cast(pa.float32())
        return pa.record_batch([query, examples.documents(items), labels], ["query", "document", "label"])

    def with_ids(items: pa.RecordBatch) -> pa.RecordBatch:
        return items.select(["query_id", "doc_id"])

    kept = with_ids if options.ids else None
    return Told(write_items(examples, output, QUERY, {"negatives": options.negatives}, ParquetFile, row, kept))


FORMAT = Format(
    "sentence-transformers: a row per query and document with a label, for BinaryCrossEntropyLoss and ContrastiveLoss",
    _write,
    columns=("query", "document", "label"),
    loads_as="parquet",
)
