"""sentence-transformers triplets: `query, positive, negative`, in this order, and nothing else."""

import pyarrow as pa

from hnm.dataset.examples import IDS, TEXTS, Examples, positions
from hnm.dataset.files import Kind, ParquetFile
from hnm.dataset.formats._format import Format, Options, Told, write_items
from hnm.dataset.formats._groups import GROUPS
from hnm.dataset.shards import Output

QUERY = f"""{GROUPS}
select split, position, query_id, positive_id, negative_id from of_pair where nth <= coalesce($negatives, nth)
order by place
"""


def write_triplets(
    examples: Examples, output: Output, options: Options, kind: Kind, prefix: str = ""
) -> dict[str, int]:
    """The texts of every triplet, each triplet once whatever strategies gave it. Returns the rows of each split."""

    def row(items: pa.RecordBatch) -> pa.RecordBatch:
        return examples.rows.take(positions(items, "position"), TEXTS)

    def with_ids(items: pa.RecordBatch) -> pa.RecordBatch:
        return items.select(list(IDS))

    ids = with_ids if options.ids else None
    return write_items(examples, output, QUERY, {"negatives": options.negatives}, kind, row, ids, prefix)


def _write(examples: Examples, output: Output, options: Options) -> Told:
    return Told(write_triplets(examples, output, options, ParquetFile))


FORMAT = Format(
    "sentence-transformers: a row per triplet, for MultipleNegativesRankingLoss and TripletLoss",
    _write,
    columns=("query", "positive", "negative"),
    loads_as="parquet",
)
