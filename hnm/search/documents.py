"""What a search keeps of the corpus: texts and vectors, in memory."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hnm.models.vectors import to_matrix
from hnm.retrieval import cosine, topk
from hnm.search.retrievers import CORPUS
from hnm.sqltext import quote
from hnm.trained import TEXTS

if TYPE_CHECKING:
    import duckdb

BATCH_ROWS = 4_096

# Joined by hash and sorted by ids alone: sorting texts in DuckDB would take many times their memory.
_DOCUMENTS = f"""
    select
        doc_id, coalesce(title, '') as title, coalesce(texts.text, {CORPUS}.text, '') as text,
        concat_ws(' ', title, {CORPUS}.text) as terms
    from {CORPUS} left join (select id, text from {TEXTS} where kind = 'document') as texts on id = doc_id
"""


def read_documents(connection: "duckdb.DuckDBPyConnection") -> pa.Table:
    """(doc_id, title, text, terms), ordered by doc_id: `text` as models read it, `terms` as BM25 does."""
    rows = connection.sql(_DOCUMENTS).to_arrow_table()
    wide = pa.schema([(name, pa.large_string()) for name in rows.schema.names])
    rows = rows.cast(wide)  # offsets of 64 bits: taking rows must not overflow at 2 GB of text
    return rows.take(pc.sort_indices(rows.column("doc_id"))).combine_chunks()


class DenseIndex:
    """Unit vectors of documents on the grid of `hnm.retrieval.cosine`, so that scores are those of `retrieve_dense`.

    Memory: 4 bytes per number. A search compares with all of them.
    """

    def __init__(self, connection: "duckdb.DuckDBPyConnection", table: str, doc_ids: pa.Array, top_k: int) -> None:
        """`table`: of embeddings; its documents that are not in `doc_ids` are left out, as those without direction."""
        self._top_k = top_k
        self._blocks: list[tuple[NDArray[np.int64], NDArray[np.int32]]] = []
        query = f"select id, vector from {quote(table)} where kind = 'document'"
        for batch in connection.sql(query).to_arrow_reader(BATCH_ROWS):
            places = pc.index_in(batch.column("id").cast(pa.large_string()), value_set=doc_ids)
            rows, directed = cosine.on_grid(to_matrix(batch.column("vector"), table))
            known = directed & places.is_valid().to_numpy(zero_copy_only=False)
            ordinals = places.fill_null(0).to_numpy().astype(np.int64)[known]
            self._blocks.append((ordinals, rows[known].astype(np.int32)))

    @property
    def memory(self) -> int:
        """Bytes."""
        return sum(ordinals.nbytes + rows.nbytes for ordinals, rows in self._blocks)

    def lists(self, vectors: NDArray[np.float32], threads: int) -> list[NDArray[np.int64]]:
        """For each vector, the keys (`hnm.retrieval.topk`) of the best documents; none for a vector of zeros."""
        queries, directed = cosine.on_grid(vectors)
        found = topk.search(queries, self._blocks, _cosines, self._top_k, threads)
        return [keys if points else keys[:0] for keys, points in zip(found, directed, strict=True)]


def _cosines(queries: NDArray[np.float64], documents: NDArray[np.int32]) -> NDArray[np.int64]:
    return cosine.cosines(queries, documents.astype(np.float64))
