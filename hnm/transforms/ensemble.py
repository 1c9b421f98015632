"""The ensemble's vectors: several models' vectors fused and projected onto the components of `ensemble_pca`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.transform import Params, transform
from hnm.transforms._fusion import Fusion, open_fusion

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

PCA = "pca"


class EnsembleParams(Params):
    """`renormalize`: scale every vector to length 1 after the projection, which shortens what it leaves out."""

    renormalize: bool = True


@transform(params=EnsembleParams, inputs=None, scope="row", uses="all", packages=("numpy",))
def ensemble(inputs: Inputs, params: EnsembleParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """One vector per text from the vectors of several models: P (c - mean), with P and mean from `ensemble_pca`.

    Inputs: `pca`, and under the same names the tables of embeddings (kind, id, text_hash, vector) it was fitted on.
    The models' weights are part of P. Output: kind, id, text_hash, vector (float32, as wide as there are components),
    ordered by (kind, id). Without centring and reduction the dot product of two fused vectors is the weighted mean of
    the models' cosines. A text whose vectors are all zero gets zeros. Memory: one batch, and the components.

    Raises StageError when `pca` is missing or fitted on other tables or widths, and when the tables' rows differ.
    """
    import pyarrow as pa

    from hnm.models.vectors import embedding_schema, to_column, unit

    fusion = open_fusion(inputs, [name for name in inputs.tables if name != PCA])
    mean, components = _components(inputs, fusion)
    schema = embedding_schema(len(components))
    yield pa.RecordBatch.from_pylist([], schema)
    with context.progress("projecting", inputs.count(fusion.names[0]), "texts") as advance:
        for batch, wide in fusion.rows():
            projected = (wide - mean) @ components.T * wide.any(axis=1, keepdims=True)
            vectors = unit(projected) if params.renormalize else projected
            keys = [batch.column(name).cast(pa.string()) for name in ("kind", "id", "text_hash")]
            yield pa.record_batch([*keys, to_column(vectors).cast(schema.field("vector").type)], schema)
            advance(batch.num_rows)


def _components(inputs: Inputs, fusion: Fusion) -> tuple["NDArray[np.float64]", "NDArray[np.float64]"]:
    """The mean, shape (width,), and the components, shape (components, width)."""
    from hnm.models.vectors import to_matrix

    if PCA not in inputs:
        raise StageError("the ensemble has no input `pca`", hint="inputs: {pca: ref(ensemble_pca), ...}")
    table = inputs.table("select vector, layout from pca order by component").combine_chunks()
    layout = table.column("layout")[0].as_py() if table.num_rows > 1 else "nothing"
    if layout != fusion.layout:
        raise StageError(
            "the ensemble's components do not fit its inputs",
            why=f"pca was fitted on {layout}; the stage reads {fusion.layout}",
            hint="give both stages the same embeddings under the same names",
        )
    rows = to_matrix(table.column("vector").chunk(0), PCA).astype("float64")
    return rows[0], rows[1:]
