"""Vectors between Arrow columns and numpy matrices. Imported only inside functions: it loads numpy and pyarrow."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hnm.errors import StageError


def to_matrix(column: pa.Array, table: str) -> NDArray[np.float32]:
    """A column of fixed-size vectors as float32, shape (rows, width), without a copy where the column is float32.

    Raises StageError, naming `table`, when a vector is missing, not of a fixed size, or not finite.
    """
    if not pa.types.is_fixed_size_list(column.type):
        raise StageError(f"{table}: `vector` is {column.type}", hint="make it a list of fixed size, FLOAT[n]")
    values = column.flatten()
    if column.null_count or values.null_count:
        raise StageError(f"{table}: a vector, or a part of one, is missing")
    matrix = np.asarray(values.to_numpy(), np.float32).reshape(len(column), column.type.list_size)
    if not np.isfinite(matrix).all():
        raise StageError(f"{table}: a vector is not finite", hint="see the stage that made it")
    return matrix


def to_column(matrix: NDArray[np.floating[Any]]) -> pa.FixedSizeListArray:
    """The rows of a matrix (rows, width) as fixed-size lists of float32."""
    values = np.ascontiguousarray(matrix, np.float32).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(values), matrix.shape[1])


def unit(matrix: NDArray[Any]) -> NDArray[np.float32]:
    """Rows scaled to length 1; rows of zeros stay zeros."""
    rows = np.asarray(matrix, np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def embedding_schema(width: int) -> pa.Schema:
    """The columns of a table of vectors: (kind, id, text_hash, vector of `width` numbers)."""
    text = [pa.field(name, pa.string()) for name in ("kind", "id", "text_hash")]
    return pa.schema([*text, pa.field("vector", pa.list_(pa.float32(), width))])
