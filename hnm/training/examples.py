"""Training groups as the examples that sentence-transformers' losses take, in an Arrow file that is read by mapping.

The collator takes every column that is not a label for a model input, in order: ids stay out.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from hnm.training.groups import Group

LossName = Literal["cross_entropy", "bce"]
Row = dict[str, Any]

ROWS_AT_ONCE = 512

_SCHEMAS = {
    "cross_entropy": pa.schema(
        {"query": pa.string(), "documents": pa.list_(pa.string()), "labels": pa.list_(pa.float32())}
    ),
    "bce": pa.schema({"query": pa.string(), "document": pa.string(), "label": pa.float32()}),
}


@dataclass(frozen=True)
class Examples:
    """A file of examples. `digest`: SHA-256 of ids and texts of every group in order, the version of the data."""

    path: Path
    rows: int
    digest: str


def write_examples(groups: Iterable[Group], loss: LossName, path: Path) -> Examples:
    """Write the examples of `groups` for `loss`; memory is bounded by some hundred rows."""
    digest = hashlib.sha256()
    rows = 0
    schema = _SCHEMAS[loss]
    with pa.ipc.new_stream(path, schema) as writer:
        for batch in _batched(_rows(groups, _EXAMPLES[loss], digest.update)):
            writer.write_batch(pa.RecordBatch.from_pylist(batch, schema))
            rows += len(batch)
    return Examples(path, rows, digest.hexdigest())


def _listwise(group: Group) -> Iterator[Row]:
    """One row per group. ListNet's target is softmax(labels): 0 and -inf put all of it on the positive."""
    labels = [0.0] + [float("-inf")] * len(group.negatives)
    yield {"query": group.query, "documents": [group.positive, *group.negatives], "labels": labels}


def _pairwise(group: Group) -> Iterator[Row]:
    """One row per document, labelled 1 or 0."""
    for place, document in enumerate((group.positive, *group.negatives)):
        yield {"query": group.query, "document": document, "label": float(place == 0)}


_EXAMPLES: dict[LossName, Callable[[Group], Iterator[Row]]] = {"cross_entropy": _listwise, "bce": _pairwise}


def _rows(
    groups: Iterable[Group], examples: Callable[[Group], Iterator[Row]], update: Callable[[bytes], None]
) -> Iterator[Row]:
    for group in groups:
        content = [group.query_id, group.positive_id, group.negative_ids, group.query, group.positive, group.negatives]
        update(json.dumps(content).encode())
        yield from examples(group)


def _batched(rows: Iterator[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == ROWS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
