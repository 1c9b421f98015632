"""The transform that joins training examples with their texts, run by hand."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from hnm.context import Context
from hnm.inputs import Inputs
from hnm.transforms.materialize_triplets import MaterializeTripletsParams, materialize_triplets


def triplets_of(rows: pa.Table, texts: pa.Table) -> pa.Table:
    with TemporaryDirectory() as folder:
        return pa.Table.from_batches(triplet_batches(rows, texts, Path(folder)))


def triplet_batches(rows: pa.Table, texts: pa.Table, folder: Path) -> list[pa.RecordBatch]:
    """`folder`: where the transform may write."""
    context = Context("triplets", folder, folder)
    return list(materialize_triplets(Inputs.of(rows=rows, texts=texts), MaterializeTripletsParams(), context))
