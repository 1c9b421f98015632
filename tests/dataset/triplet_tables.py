"""Tables of triplets as versions of a Lance stage, written without a project."""

from pathlib import Path
from typing import Any

import lance
import pyarrow as pa

from hnm.dataset.find import DatasetVersion

Row = dict[str, Any]

SCHEMA = pa.schema(
    {
        "query_id": pa.string(), "positive_id": pa.string(), "negative_id": pa.string(),
        "query": pa.string(), "positive": pa.string(), "negative": pa.string(),
        "d_query_positive": pa.float32(), "fused_score": pa.float32(),
        "strategy": pa.string(), "selected_rank": pa.int32(), "weight": pa.float64(), "split": pa.string(),
    }
)  # fmt: skip


def triplet(query: str, positive: str, negative: str, strategy: str = "hard", /, **more: Any) -> Row:
    """A row; a text is its id with words around it unless given."""
    return {
        "query_id": query, "positive_id": positive, "negative_id": negative,
        "query": f"what is {query} ?", "positive": f"the text of {positive}", "negative": f"the text of {negative}",
        "d_query_positive": 0.25, "fused_score": 0.5,
        "strategy": strategy, "selected_rank": 1, "weight": 1.0, "split": "train",
    } | more  # fmt: skip


ROWS = [
    triplet("q1", "p1", "n1", selected_rank=1),
    triplet("q1", "p1", "n2", selected_rank=2),
    triplet("q1", "p1", "n3", "random"),
    triplet("q1", "p1", "n1", "random", selected_rank=2),  # chosen by two strategies
    triplet("q1", "p2", "n1"),
    triplet("q2", "p3", "n4"),
    triplet("q2", "p3", "n1", "random"),
    triplet("q3", "p1", "n5", split="dev"),
]
"""q1 has two positives, q2 and q3 one; q3 is of dev."""


def version_of(folder: Path, rows: list[Row], schema: pa.Schema = SCHEMA, **options: Any) -> DatasetVersion:
    """The rows as the only version of a stage `triplets`, in the order given."""
    path = folder / "triplets.lance"
    dataset = lance.write_dataset(pa.Table.from_pylist(rows, schema), str(path), mode="overwrite", **options)
    return DatasetVersion(
        "triplets",
        path,
        dataset.version,
        "0123456789abcdef" * 2,
        ("v1",),
        len(rows),
        "2025-01-01T00:00:00",
        "run",
        True,
    )
