"""FlagEmbedding JSON lines: `query, pos, neg`, with `pos_scores, neg_scores` where the table has fused scores."""

import pyarrow as pa
import pyarrow.compute as pc

from hnm.dataset.examples import Examples, positions
from hnm.dataset.files import JsonLinesFile
from hnm.dataset.formats._format import Format, Options, Told, write_items
from hnm.dataset.formats._groups import BY_QUERY, as_lists, ids, numbers, texts
from hnm.dataset.shards import Output

SCORES = ("d_query_positive", "fused_score")


def _write(examples: Examples, output: Output, options: Options) -> Told:
    has_scores = set(SCORES) <= set(examples.columns)

    def row(items: pa.RecordBatch) -> pa.RecordBatch:
        query = examples.rows.take(positions(items, "position"), ["query"]).column(0)
        positives, negatives = items["positives"], items["negatives"]
        columns = {"query": query, "pos": texts(examples, positives), "neg": texts(examples, negatives)}
        if has_scores:
            distances = numbers(examples, positives, "d_query_positive").values.cast(pa.float64())
            columns["pos_scores"] = as_lists(pc.subtract(1.0, distances), positives)
            columns["neg_scores"] = numbers(examples, negatives, "fused_score")
        return pa.record_batch(columns)

    def with_ids(items: pa.RecordBatch) -> pa.RecordBatch:
        return pa.record_batch(
            [items["query_id"], ids(items["positives"]), ids(items["negatives"])],
            ["query_id", "pos_ids", "neg_ids"],
        )

    kept = with_ids if options.ids else None
    return Told(write_items(examples, output, BY_QUERY, {"negatives": options.negatives}, JsonLinesFile, row, kept))


FORMAT = Format(
    "FlagEmbedding: a JSON object per query with all its positives and negatives, and their fused scores",
    _write,
    columns=("query", "pos", "neg", "pos_scores", "neg_scores"),
    loads_as="json",
)
