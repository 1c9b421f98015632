"""The collection that examples span: their documents, queries and positives, each once, in the order of their ids."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from hnm.dataset.examples import Examples, positions
from hnm.dataset.files import TsvFile

DOCUMENTS = """
select * from (
    select positive_id as doc_id, true as is_positive, min(position) as position from examples group by positive_id
    union all
    select negative_id, false, min(position) from examples group by negative_id
)
qualify row_number() over (partition by doc_id order by is_positive desc) = 1 order by doc_id
"""
QUERIES = "select query_id, min(position) as position, min(split) as split from examples group by query_id order by all"
JUDGMENTS = """
select query_id, positive_id as doc_id, 1::integer as grade, min(split) as split
from examples group by query_id, positive_id order by query_id, doc_id
"""


def documents(examples: Examples) -> Iterator[pa.RecordBatch]:
    """doc_id, title (empty), text, metadata (empty) of every document that is a positive or a negative."""
    for items in examples.stream(DOCUMENTS):
        empty = pa.array([""] * items.num_rows, pa.string())
        columns = [items["doc_id"], empty, examples.documents(items), empty]
        yield pa.record_batch(columns, ["doc_id", "title", "text", "metadata"])


def queries(examples: Examples) -> Iterator[pa.RecordBatch]:
    """query_id, text, split."""
    for items in examples.stream(QUERIES):
        texts = examples.rows.take(positions(items, "position"), ["query"]).column(0)
        yield pa.record_batch([items["query_id"], texts, items["split"]], ["query_id", "text", "split"])


def judgments(examples: Examples) -> Iterator[pa.RecordBatch]:
    """query_id, doc_id, grade (1), split of every positive. Negatives are mined, not judged: they are left out."""
    return examples.stream(JUDGMENTS)


def positives_by_split(examples: Examples) -> dict[str, int]:
    """How many pairs of query and positive each split has."""
    query = "select split, count(distinct (query_id, positive_id)) from examples group by split order by split"
    return dict(examples.connection.execute(query).fetchall())


def of_split(batches: Iterator[pa.RecordBatch], split: str) -> Iterator[pa.RecordBatch]:
    """The rows of one split."""
    for batch in batches:
        yield batch.filter(pc.equal(batch["split"], split))


def write_tsv(path: Path, rows: Iterator[pa.RecordBatch], columns: list[str]) -> None:
    """One file, however many rows there are: what it holds is looked up, not read in turn."""
    with closing(TsvFile(path)) as file:
        for batch in rows:
            file.write(batch.select(columns))
