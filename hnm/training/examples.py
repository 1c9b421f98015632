"""Training groups in an Arrow file that is read by mapping: one row per group, whatever the loss makes of it."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa

from hnm.training.groups import Group

ROWS_AT_ONCE = 512

_TEXTS = pa.list_(pa.string())
SCHEMA = pa.schema(
    {
        "query_id": pa.string(),
        "positive_id": pa.string(),
        "query": pa.string(),
        "positive": pa.string(),
        "negatives": _TEXTS,
        "negative_ids": _TEXTS,
        "strategies": _TEXTS,
        "teacher": pa.list_(pa.float32()),
        "weight": pa.float32(),
    }
)


@dataclass(frozen=True)
class Examples:
    """A file of groups. `digest`: SHA-256 of what is learned of every group in order, the version of the data."""

    path: Path
    rows: int
    digest: str


def write_examples(groups: Iterable[Group], path: Path) -> Examples:
    """Write the groups; memory is bounded by some hundred of them."""
    digest = hashlib.sha256()
    rows = 0
    with pa.ipc.new_stream(path, SCHEMA) as writer:
        for batch in _batched(iter(groups)):
            for group in batch:
                digest.update(json.dumps(_content(group)).encode())
            writer.write_batch(pa.RecordBatch.from_pylist([asdict(group) for group in batch], SCHEMA))
            rows += len(batch)
    return Examples(path, rows, digest.hexdigest())


def _content(group: Group) -> list[object]:
    learned: list[object] = [group.query_id, group.positive_id, group.negative_ids]
    learned += [group.query, group.positive, group.negatives]
    if group.teacher is not None or group.weight != 1.0:
        learned += [group.teacher, group.weight]
    return learned


def _batched(groups: Iterator[Group]) -> Iterator[list[Group]]:
    while batch := list(islice(groups, ROWS_AT_ONCE)):
        yield batch
