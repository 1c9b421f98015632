"""Candidates by approximate nearest-neighbour search in a vector index of Lance's, with its recall measured."""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

DOCUMENT_BLOCK = 4_096
FEWEST_INDEXED = 256
"""Fewer documents are searched without an index; a codebook of 8 bits could not be trained on them either."""
TRAINED_PER_PARTITION = 128
DOCUMENTS_PER_GRAPH = 200_000


class ApproximateParams(Params):
    """The index, how much of it a query looks at, and how well it must do.

    `num_partitions`: null for the square root of the number of documents, or for ivf_hnsw_sq one per 200,000.
    `nprobes`: partitions that a query looks into. `refine_factor`: so many times `top_k` documents are found by
    compressed vectors, then the best by whole ones are kept. `ef`: candidates that a walk through the graph of
    ivf_hnsw_sq keeps; null for Lance's choice. `sub_vectors`: bytes per vector in ivf_pq, a divisor of the width; null
    for one to 8 numbers. `seed`: of the partitions and of the sample for recall.
    `recall_sample`: queries whose lists are compared with the exact ones; 0 measures nothing. `min_recall`: refuse to
    publish below it; null for any.
    """

    retriever: str = Field(min_length=1)
    top_k: int = Field(default=100, ge=1)
    index: Literal["ivf_flat", "ivf_pq", "ivf_hnsw_sq"] = "ivf_flat"
    num_partitions: int | None = Field(default=None, ge=1)
    nprobes: int = Field(default=20, ge=1)
    refine_factor: int = Field(default=1, ge=1)
    ef: int | None = Field(default=None, ge=1)
    sub_vectors: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**32)
    recall_sample: int = Field(default=200, ge=0)
    min_recall: float | None = Field(default=None, gt=0, le=1)
    query_block: int = Field(default=256, ge=1)

    @model_validator(mode="after")
    def _fit_together(self) -> "ApproximateParams":
        if self.ef and self.index != "ivf_hnsw_sq":
            raise ValueError(f"ef belongs to ivf_hnsw_sq, and the index is {self.index}")
        if self.ef and self.ef < self.top_k * self.refine_factor:
            raise ValueError("ef must be at least top_k times refine_factor")
        if self.sub_vectors and self.index != "ivf_pq":
            raise ValueError(f"sub_vectors belongs to ivf_pq, and the index is {self.index}")
        if self.min_recall and not self.recall_sample:
            raise ValueError("min_recall needs a recall_sample")
        return self


@transform(params=ApproximateParams, inputs=("vectors",), uses="all", packages=("pylance", "scikit-learn"))
def retrieve_approximate(inputs: Inputs, params: ApproximateParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """About the `top_k` documents of highest cosine for every query, for corpora too large to compare with all.

    `vectors` has `kind` ('document' or 'query'), `id` and `vector` (fixed-size float32; only its direction counts).
    What the index finds is scored anew: `score` is the cosine in [-1, 1] as in `retrieve_dense` (of vectors scaled to
    length 1 in float32), higher is better, equal ones by `doc_id`. A query may have fewer than `top_k` when the
    partitions that it looks into hold fewer. A vector of zeros has no direction: such a document is no candidate, such
    a query has none. Fewer than 256 documents are searched exactly.

    Recall@top_k is the share of the exact list that was found (documents as good as its last one count), averaged over
    `recall_sample` queries. It is a fact of the stage, measured before anything else is searched.

    The partitions are of a seeded k-means, so that ivf_flat gives the same again; Lance trains codebooks and builds
    graphs with unseeded random numbers, so a rebuild with those may give another table, and another version of it.
    Sources: Sivic and Zisserman, ICCV 2003 (inverted file); Jégou, Douze and Schmid, TPAMI 33(1), 2011 (product
    quantization); Malkov and Yashunin, TPAMI 42(4), 2020 (HNSW).

    Memory: the index is on disk, in the stage's work folder; the k-means sees 128 vectors per partition; one block of
    queries with the vectors of what it found (`query_block` · `top_k` · `refine_factor`), and all ids.

    Raises StageError when a vector is missing, not finite, or not of a fixed size, when an id occurs twice, for
    `sub_vectors` that do not divide the width, and for a recall below `min_recall`.
    """
    import pyarrow as pa

    from hnm.models.vectors import to_matrix
    from hnm.retrieval import candidates, cosine

    def ids(kind: str) -> "pa.Array":
        return candidates.sorted_ids(inputs, "vectors", "id", "kind = $kind", {"kind": kind})

    query_ids, doc_ids = ids("query"), ids("document")
    yield candidates.empty()
    if not len(query_ids) or not len(doc_ids):
        return
    index = _index(inputs, params, context)
    if params.recall_sample:
        _measure_recall(inputs, index, params, context)
    first = 0
    with context.progress(f"retrieving by {params.retriever}", len(query_ids), "queries") as advance:
        for batch in inputs.in_order("vectors", "vector", "id", "kind = 'query'", batch_rows=params.query_block):
            queries, directed = _directions(to_matrix(batch.column(0), "vectors"))
            asked = query_ids[first : first + len(batch)].filter(pa.array(directed))
            found = _found(index, queries[directed], params)
            yield from candidates.batches(params.retriever, asked, found, doc_ids, cosine.as_float)
            first += len(batch)
            advance(len(batch))


def _directions(vectors: "NDArray[np.float32]") -> tuple["NDArray[np.float32]", "NDArray[np.bool_]"]:
    """The vectors scaled to length 1, and which of them have a direction."""
    from hnm.models.vectors import unit

    return unit(vectors), (vectors != 0).any(axis=1)


def _index(inputs: Inputs, params: ApproximateParams, context: Context) -> Any:
    """A Lance dataset (ordinal by id, vector) of the documents with a direction, and its index if they are many."""
    from hnm.warehouse.lance_table import open_version, write_version

    path, broken = context.workdir / "vectors", list[StageError]()
    with context.progress("indexing vectors", None, "documents"):
        dataset = open_version(path, write_version(path, _documents(inputs, broken)))
        if broken:
            raise broken[0]
        documents, width = dataset.count_rows(), dataset.schema.field("vector").type.list_size
        if documents < FEWEST_INDEXED:
            context.note(f"{documents:,} documents are too few for an index: they are searched exactly")
            context.record(documents=documents, num_partitions=None)
            return dataset
        default = documents // DOCUMENTS_PER_GRAPH if params.index == "ivf_hnsw_sq" else round(documents**0.5)
        partitions = min(params.num_partitions or max(1, default), documents)
        context.record(documents=documents, num_partitions=partitions)
        return dataset.create_index(
            "vector",
            params.index.upper(),
            metric="l2",
            num_partitions=partitions,
            ivf_centroids=_centroids(inputs, partitions, params.seed),
            **({"num_sub_vectors": _sub_vectors(params, width)} if params.index == "ivf_pq" else {}),
        )


def _documents(inputs: Inputs, broken: list[StageError]) -> "pa.RecordBatchReader":
    """(ordinal, vector) of the documents that have a direction, by id, up to the first broken vector.

    What is wrong with that one is put into `broken`: raised, it would reach Lance's writer, which knows only texts.
    """
    import numpy as np
    import pyarrow as pa

    from hnm.models.vectors import to_column, to_matrix

    rows = inputs.in_order("vectors", "vector", "id", "kind = 'document'", batch_rows=DOCUMENT_BLOCK)
    width = to_matrix(pa.array([], rows.schema.field("vector").type), "vectors").shape[1]
    schema = pa.schema([("ordinal", pa.int64()), ("vector", pa.list_(pa.float32(), width))])

    def directed() -> Iterator[pa.RecordBatch]:
        first = 0
        for batch in rows:
            try:
                vectors, kept = _directions(to_matrix(batch.column("vector"), "vectors"))
            except StageError as error:
                broken.append(error)
                return
            columns = [pa.array(first + np.flatnonzero(kept)), to_column(vectors[kept])]
            yield pa.record_batch(
                [column.cast(field.type) for column, field in zip(columns, schema, strict=True)], schema
            )
            first += len(batch)

    return pa.RecordBatchReader.from_batches(schema, directed())


def _centroids(inputs: Inputs, partitions: int, seed: int) -> "NDArray[np.float32]":
    """Centres of the partitions, shape (partitions, width): k-means over a sample of documents chosen by a hash."""
    import numpy as np
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

    from hnm.models.vectors import to_matrix

    drawn = "select id from vectors where kind = 'document' order by md5($salt || id), id limit $count"
    values = {"salt": f"{seed}:", "count": partitions * TRAINED_PER_PARTITION}
    sample = inputs.in_order("vectors", "vector", "id", f"kind = 'document' and id in ({drawn})", values).read_all()
    vectors, directed = _directions(to_matrix(sample.column(0).combine_chunks(), "vectors"))
    vectors = vectors[directed]
    if len(vectors) < partitions:  # a sample that is mostly of zeros
        return np.resize(vectors, (partitions, vectors.shape[1]))
    with threadpool_limits(1):  # sums over threads would change the last bits
        fitted = MiniBatchKMeans(partitions, batch_size=DOCUMENT_BLOCK, n_init=1, random_state=seed).fit(vectors)
    return np.asarray(fitted.cluster_centers_, np.float32)


def _sub_vectors(params: ApproximateParams, width: int) -> int:
    if params.sub_vectors and width % params.sub_vectors:
        raise StageError(
            f"sub_vectors is {params.sub_vectors}, which does not divide the width of the vectors, {width}"
        )
    return params.sub_vectors or next(width // size for size in (8, 4, 2, 1) if width % size == 0)


def _found(index: Any, queries: "NDArray[np.float32]", params: ApproximateParams) -> list["NDArray[np.int64]"]:
    """Keys of what the index finds for each query, scored by whole vectors. `queries` are of length 1."""
    import numpy as np

    from hnm.models.vectors import to_matrix
    from hnm.retrieval import cosine, topk

    if not len(queries) or not index.count_rows():
        return [np.empty(0, np.int64)] * len(queries)
    # Lance's own refine_factor fetches vectors query by query, which takes several times as long.
    wanted = params.top_k * params.refine_factor
    nearest = {"column": "vector", "q": queries, "k": wanted, "nprobes": params.nprobes, "ef": params.ef}
    table = index.scanner(
        columns=["query_index", "ordinal", "vector"], nearest=nearest, disable_scoring_autoprojection=True
    ).to_table()
    documents = to_matrix(table.column("vector").combine_chunks(), "vectors")
    ordinals, of_query = table.column("ordinal").to_numpy(), table.column("query_index").to_numpy()
    by_query = np.argsort(of_query, kind="stable")
    bounds = np.searchsorted(of_query[by_query], np.arange(len(queries) + 1))
    lists = []
    for query, (start, end) in enumerate(pairwise(bounds)):
        places = by_query[start:end]
        asked, _ = cosine.on_grid(queries[query : query + 1])
        rows, _ = cosine.on_grid(documents[places])
        lists.append(topk.select(topk.pack(cosine.cosines(asked, rows), ordinals[places]), params.top_k)[0])
    return lists


def _measure_recall(inputs: Inputs, index: Any, params: ApproximateParams, context: Context) -> None:
    """Record the recall on a sample of the queries. Raises StageError when it is below `min_recall`."""
    import numpy as np

    from hnm.models.vectors import to_matrix
    from hnm.retrieval import cosine, topk

    sample = inputs.table(
        "select vector from vectors where kind = 'query' order by md5($salt || id), id limit $count",
        {"salt": f"recall {params.seed}:", "count": params.recall_sample},
    )
    queries, directed = _directions(to_matrix(sample.column(0).combine_chunks(), "vectors"))
    queries = queries[directed]

    def blocks() -> Iterator[tuple["NDArray[np.int64]", "NDArray[np.float64]"]]:
        for batch in index.to_batches(columns=["ordinal", "vector"], batch_size=DOCUMENT_BLOCK):
            rows, _ = cosine.on_grid(to_matrix(batch.column("vector"), "vectors"))
            yield batch.column("ordinal").to_numpy(), rows

    with context.progress("measuring recall", len(queries), "queries"):
        rows, _ = cosine.on_grid(queries)
        exact = topk.search(rows, blocks(), cosine.cosines, params.top_k, context.settings.cores)
        found = _found(index, queries, params)
    if not exact.size:
        return
    last = topk.scores(exact[:, -1])
    hits = [int((topk.scores(keys) >= bound).sum()) for keys, bound in zip(found, last, strict=True)]
    recall = round(float(np.minimum(hits, exact.shape[1]).mean() / exact.shape[1]), 6)
    context.record(recall=recall, recall_queries=len(queries))
    context.note(f"recall@{params.top_k} of {len(queries):,} queries against the exact search: {recall:.3f}")
    if params.min_recall and recall < params.min_recall:
        raise StageError(
            f"recall@{params.top_k} is {recall:.3f}, and min_recall {params.min_recall}",
            why=f"of the documents that an exact search finds for {len(queries):,} queries, the index misses the rest",
            hint="raise nprobes, refine_factor or ef, or use retrieve_dense",
        )
