"""sentence-transformers n-tuples: `query, positive, negative_1, …, negative_N`, in this order, and nothing else."""

import pyarrow as pa

from hnm.dataset.examples import Examples, positions
from hnm.dataset.files import ParquetFile
from hnm.dataset.formats._format import Format, Options, Told, write_items
from hnm.dataset.formats._groups import GROUPS, ids, texts
from hnm.dataset.shards import Output

DEFAULT_NEGATIVES = 4
QUERY = f"""{GROUPS}
select split, query_id, positive_id, position, negatives, width + 1 as width
from pairs join negatives_of_pair using (split, query_id, positive_id) where width = $negatives order by place
"""


def _write(examples: Examples, output: Output, options: Options) -> Told:
    count = options.negatives or DEFAULT_NEGATIVES

    def row(items: pa.RecordBatch) -> pa.RecordBatch:
        first = examples.rows.take(positions(items, "position"), ["query", "positive"])
        flat = texts(examples, items["negatives"]).values
        every = [flat.take(pa.array(range(nth, len(flat), count))) for nth in range(count)]
        names = [f"negative_{nth}" for nth in range(1, count + 1)]
        return pa.record_batch([*first.columns, *every], ["query", "positive", *names])

    def with_ids(items: pa.RecordBatch) -> pa.RecordBatch:
        return pa.record_batch(
            [items["query_id"], items["positive_id"], ids(items["negatives"])],
            ["query_id", "positive_id", "negative_ids"],
        )

    values: dict[str, int | None] = {"negatives": count}
    kept = with_ids if options.ids else None
    told = Told(write_items(examples, output, QUERY, values, ParquetFile, row, kept))
    pairs = int(examples.value("select count(distinct (split, query_id, positive_id)) from examples"))
    told.left_out(pairs - sum(told.rows.values()), f"pairs have fewer than {count} negatives: left out")
    return told


FORMAT = Format(
    f"sentence-transformers: a row per pair with N negatives, each in its column (`--negatives`, {DEFAULT_NEGATIVES})",
    _write,
    columns=("query", "positive", "negative_1", "…", "negative_N"),
    loads_as="parquet",
)
