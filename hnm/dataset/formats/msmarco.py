"""MS MARCO files: triples as texts and as ids, the collection, queries, and qrels of the positives."""

import pyarrow as pa

from hnm.dataset.examples import Examples
from hnm.dataset.files import TsvFile
from hnm.dataset.formats._collection import documents, judgments, of_split, queries, write_tsv
from hnm.dataset.formats._format import Format, Options, Told, write_items
from hnm.dataset.formats.triplet import QUERY, write_triplets
from hnm.dataset.shards import Output
from hnm.writers._names import file_name


def _write(examples: Examples, output: Output, options: Options) -> Told:
    values = {"negatives": options.negatives}
    without_ids = Options(options.negatives, ids=False)
    told = Told(write_triplets(examples, output, without_ids, TsvFile, prefix="triples."))
    write_items(examples, output, QUERY, values, TsvFile, _ids, prefix="qidpidtriples.")
    write_tsv(output.folder / "collection.tsv", documents(examples), ["doc_id", "text"])
    for split in map(file_name, told.rows):
        write_tsv(output.folder / f"queries.{split}.tsv", of_split(queries(examples), split), ["query_id", "text"])
        found = map(_with_zero, of_split(judgments(examples), split))
        write_tsv(output.folder / f"qrels.{split}.tsv", found, ["query_id", "zero", "doc_id", "grade"])
    return told


def _ids(items: pa.RecordBatch) -> pa.RecordBatch:
    return items.select(["query_id", "positive_id", "negative_id"])


def _with_zero(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.append_column("zero", pa.array([0] * batch.num_rows))


FORMAT = Format(
    "MS MARCO: triples of texts and of ids, collection, queries, qrels; control characters become spaces",
    _write,
)
