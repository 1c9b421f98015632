"""What fitting and applying the ensemble share: several embedding tables read side by side, as one wide matrix.

A wide row is the concatenation, by the tables' sorted names, of each model's unit vector.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.sqltext import quote

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

BATCH_ROWS = 8_192
_KEY = "kind, id, text_hash"


@dataclass(frozen=True)
class Fusion:
    """Embedding tables by sorted name, and the width of each one's vectors."""

    inputs: Inputs
    names: tuple[str, ...]
    widths: tuple[int, ...]

    @property
    def width(self) -> int:
        return sum(self.widths)

    @property
    def layout(self) -> str:
        """Names and widths in order, for example `minilm:384 wordllama:256`."""
        return " ".join(f"{name}:{width}" for name, width in zip(self.names, self.widths, strict=True))

    def rows(self, condition: str = "true") -> Iterator[tuple["pa.RecordBatch", "NDArray[np.float64]"]]:
        """Batches of (kind, id, text_hash, vector) of the first table, by kind and id, and their wide rows, shape
        (rows, width). `condition`: in SQL, on kind and id. Raises StageError for a broken vector."""
        import numpy as np

        from hnm.batches import of_size
        from hnm.models.vectors import to_matrix, unit

        # Side by side: a join would have to be sorted, vectors and all. The tables have the same rows, as was seen.
        streams = [
            of_size(self.inputs.in_order(name, f"{_KEY}, vector", _KEY, condition, batch_rows=BATCH_ROWS), BATCH_ROWS)
            for name in self.names
        ]
        for batches in zip(*streams, strict=True):
            pairs = zip(batches, self.names, strict=True)
            blocks = [unit(to_matrix(batch.column("vector"), name)) for batch, name in pairs]
            yield batches[0], np.concatenate(blocks, axis=1, dtype=np.float64)


def open_fusion(inputs: Inputs, names: list[str]) -> Fusion:
    """The embedding tables called `names`.

    Raises StageError when there is none, when a table's vectors are not of a fixed size, and when the tables do not
    have the same rows (kind, id, text_hash).
    """
    import pyarrow as pa

    if not names:
        raise StageError("an ensemble needs at least one table of embeddings", hint="give them as inputs of the stage")
    widths = []
    for name in sorted(names):
        vector = inputs.table(f"select vector from {quote(name)} limit 0").schema.field("vector").type
        if not pa.types.is_fixed_size_list(vector):
            raise StageError(f"{name}: `vector` is {vector}", hint="make it a list of fixed size, FLOAT[n]")
        widths.append(vector.list_size)
    fusion = Fusion(inputs, tuple(sorted(names)), tuple(widths))
    _require_same_rows(fusion)
    return fusion


def _require_same_rows(fusion: Fusion) -> None:
    counts = {name: fusion.inputs.count(name) for name in fusion.names}
    first, *others = (quote(name) for name in fusion.names)
    joined = " ".join(f"join {other} using ({_KEY})" for other in others)
    shared = int(fusion.inputs.table(f"select count(*) from {first} {joined}").column(0)[0].as_py())
    if any(count != shared for count in counts.values()):
        each = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        raise StageError(
            "the tables of embeddings do not have the same rows",
            why=f"rows: {each}; with kind, id and text_hash in all of them: {shared:,}",
            hint="embed the same `texts` with every model",
        )
