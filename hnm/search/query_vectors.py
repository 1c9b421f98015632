"""Vectors of new queries, made as the project's stages make those of its own queries."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hnm.context import Context, Settings
from hnm.inputs import Inputs
from hnm.models.bi_encoder import BiEncoder, load_bi_encoder
from hnm.models.vectors import embedding_schema, to_column, to_matrix
from hnm.project.manifest import Call
from hnm.transforms.embed import EmbedParams
from hnm.transforms.ensemble import PCA

Matrix = NDArray[np.float32]


class QueryVectors:
    """The encoders of some embedding stages, loaded once, and the ensembles of them.

    Ensembles are made by the transform `ensemble` itself, from the queries' vectors in place of the tables.
    """

    def __init__(
        self, calls: Mapping[str, Call], components: Mapping[str, pa.Table], root: Path, settings: Settings
    ) -> None:
        """`calls`: of the stages `embed` and `ensemble` by name, each after those that it reads.

        `components`: the tables of `ensemble_pca` stages by name. Raises ModelError when a model cannot be had.
        """
        self._calls = calls
        self._components = components
        self._root = root
        self._settings = settings
        self._encoders = {
            stage: self._load(call.params) for stage, call in calls.items() if isinstance(call.params, EmbedParams)
        }

    def of(self, texts: Sequence[str]) -> dict[str, Matrix]:
        """By stage, one vector per text: float32 of shape (texts, width). No text may be blank."""
        made: dict[str, Matrix] = {}
        for stage, call in self._calls.items():
            if isinstance(call.params, EmbedParams):
                params = call.params
                made[stage] = self._encoders[stage].encode(texts, "query", params.query_prompt, params.batch_size)
            else:
                made[stage] = self._fused(stage, call, made)
        return made

    def modules(self) -> Iterable[Any]:
        """The loaded models, as torch knows them."""
        return (encoder.model for encoder in self._encoders.values())

    def _load(self, params: EmbedParams) -> BiEncoder:
        return load_bi_encoder(
            params.model, self._root, self._settings, params.max_tokens, params.dim, params.normalize
        )

    def _fused(self, stage: str, call: Call, made: Mapping[str, Matrix]) -> Matrix:
        tables = {name: _table(made[source]) for name, source in call.inputs.items() if name != PCA}
        inputs = Inputs.of(**{PCA: self._components[call.inputs[PCA]]}, **tables)
        batches = call.transform(inputs, call.params, Context(stage, self._root, self._root, self._settings))
        return to_matrix(pa.Table.from_batches(batches).combine_chunks().column("vector").chunk(0), stage)


def _table(vectors: Matrix) -> pa.Table:
    """Vectors as a table of embeddings, with ids that sort in their order."""
    ids = pa.array([f"{number:09}" for number in range(len(vectors))])
    columns = [pa.repeat("query", len(vectors)), ids, ids, to_column(vectors)]
    return pa.Table.from_arrays(columns, schema=embedding_schema(vectors.shape[1]))
