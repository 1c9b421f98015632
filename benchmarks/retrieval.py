"""How long the retrievers take beside the bare libraries, in one process on the same data; prints JSON.

    python benchmarks/retrieval.py COLLECTION [--vectors FILE.parquet] [--top-k 100] [--repeat 3]

COLLECTION is a BEIR folder. FILE has the columns `kind`, `id` and `vector`; without it, vectors are random (384 wide).
Seconds are the best of the repetitions; a ratio above 1 says that hnm takes longer. What hnm does beyond the bare
libraries: read tables through SQL, resolve ties, leave out documents without a match, write rows of candidates.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import Stemmer

from hnm.context import Context
from hnm.inputs import Inputs
from hnm.readers.beir import BeirParams, beir
from hnm.transforms.retrieve_bm25 import BM25Params, retrieve_bm25
from hnm.transforms.retrieve_dense import DenseParams, retrieve_dense
from hnm.transforms.retrieve_random import RandomParams, retrieve_random

CONTEXT = Context("benchmark", Path(), Path())
WIDTH = 384
QUERIES_AT_ONCE = 512


def read(folder: Path, table: str) -> pa.Table:
    params = BeirParams(path=str(folder), table=table, on_bad_rows="quarantine")
    return pa.Table.from_batches(beir(Inputs.of(), params, Context(table, Path(), Path())))


def random_vectors(corpus: pa.Table, queries: pa.Table) -> pa.Table:
    ids = pa.concat_arrays([*queries["query_id"].chunks, *corpus["doc_id"].chunks])
    rows = np.random.default_rng(0).normal(size=(len(ids), WIDTH)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), WIDTH)
    kinds = ["query"] * len(queries) + ["document"] * len(corpus)
    return pa.table({"kind": kinds, "id": ids, "vector": vectors})


def matrix(vectors: pa.Table, kind: str) -> Any:
    column = vectors.filter(pa.compute.equal(vectors["kind"], kind))["vector"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), -1)


def bare_bm25s(corpus: pa.Table, queries: pa.Table, top_k: int) -> None:
    options = {"stopwords": "en", "stemmer": Stemmer.Stemmer("english"), "show_progress": False}
    texts = [f"{row['title']} {row['text']}" for row in corpus.select(["title", "text"]).to_pylist()]
    index = bm25s.BM25(k1=1.2, b=0.75)
    index.index(bm25s.tokenize(texts, **options), show_progress=False)
    index.retrieve(bm25s.tokenize(queries["text"].to_pylist(), **options), k=top_k, show_progress=False)


def bare_product(queries: Any, documents: Any, top_k: int) -> None:
    for first in range(0, len(queries), QUERIES_AT_ONCE):
        scores = queries[first : first + QUERIES_AT_ONCE] @ documents.T
        best = np.argpartition(scores, -top_k, axis=1)[:, -top_k:]
        np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(hnm: Callable[[], object], bare: Callable[[], object], repeat: int) -> dict[str, float]:
    """Both in turn, so that other load on the machine strikes both."""
    times = [(seconds(hnm), seconds(bare)) for _ in range(repeat)]
    ours, theirs = (min(column) for column in zip(*times, strict=True))
    return {"hnm_seconds": round(ours, 2), "bare_seconds": round(theirs, 2), "ratio": round(ours / theirs, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--top-k", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()

    corpus, queries = read(options.collection, "corpus"), read(options.collection, "queries")
    vectors = pq.read_table(options.vectors) if options.vectors else random_vectors(corpus, queries)
    left, right = matrix(vectors, "query"), matrix(vectors, "document")
    texts, points = Inputs.of(corpus=corpus, queries=queries), Inputs.of(vectors=vectors)
    bm25 = BM25Params(top_k=options.top_k)
    dense = DenseParams(retriever="dense", top_k=options.top_k)
    result = {
        "documents": len(corpus),
        "queries": len(queries),
        "width": left.shape[1],
        "top_k": options.top_k,
        "load_before": os.getloadavg()[0],
        "bm25": compare(
            lambda: list(retrieve_bm25(texts, bm25, CONTEXT)),
            lambda: bare_bm25s(corpus, queries, options.top_k),
            options.repeat,
        ),
        "dense": compare(
            lambda: list(retrieve_dense(points, dense, CONTEXT)),
            lambda: bare_product(left, right, options.top_k),
            options.repeat,
        ),
        "random_seconds": round(seconds(lambda: list(retrieve_random(texts, RandomParams(), CONTEXT))), 2),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
