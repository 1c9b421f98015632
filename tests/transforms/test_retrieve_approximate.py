"""Approximate retrieval: an index that looks everywhere finds what the exact search does, and recall is measured."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pydantic import ValidationError

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.retrieval.candidates import SCHEMA
from hnm.transforms import retrieve_approximate as module
from hnm.transforms.retrieve_approximate import ApproximateParams, retrieve_approximate
from hnm.transforms.retrieve_dense import DenseParams, retrieve_dense

Matrix = NDArray[np.float32]
INDICES = ["ivf_flat", "ivf_pq", "ivf_hnsw_sq"]
EVERYWHERE = {"nprobes": 1000, "num_partitions": 6}


def table(queries: Matrix, documents: Matrix, names: list[str] | None = None) -> pa.Table:
    rows = np.concatenate([queries, documents]).astype(np.float32)
    names = names or [f"d{i:04}" for i in range(len(documents))]
    return pa.table(
        {
            "kind": pa.array(["query"] * len(queries) + ["document"] * len(documents), pa.string()),
            "id": pa.array([f"q{i:03}" for i in range(len(queries))] + names, pa.string()),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1]),
        }
    )


def run(vectors: pa.Table, **params: object) -> tuple[pa.Table, Context]:
    with tempfile.TemporaryDirectory() as folder:
        context = Context("approximate", Path(folder), Path(folder) / "work")
        wanted = ApproximateParams(**{"retriever": "dense", **params})
        batches = list(retrieve_approximate(Inputs.of(vectors=vectors), wanted, context))
    return pa.Table.from_batches(batches, SCHEMA), context


def retrieve(vectors: pa.Table, **params: object) -> pa.Table:
    return run(vectors, **params)[0]


def exact(vectors: pa.Table, top_k: int = 100) -> pa.Table:
    context = Context("dense", Path(), Path())
    params = DenseParams(retriever="dense", top_k=top_k)
    return pa.Table.from_batches(list(retrieve_dense(Inputs.of(vectors=vectors), params, context)), SCHEMA)


def pairs(candidates: pa.Table) -> set[tuple[str, str]]:
    return {(row["query_id"], row["doc_id"]) for row in candidates.to_pylist()}


def unit_rows(seed: int, count: int, width: int = 24) -> Matrix:
    rows = np.random.default_rng(seed).normal(size=(count, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


MANY = table(unit_rows(1, 70), unit_rows(2, 900))


def test_a_flat_index_that_looks_everywhere_equals_the_exact_search() -> None:
    found, context = run(MANY, top_k=25, query_block=32, **EVERYWHERE)
    expected = exact(MANY, 25)
    assert found.drop_columns("score").equals(expected.drop_columns("score"))
    np.testing.assert_allclose(found["score"].to_numpy(), expected["score"].to_numpy(), atol=2e-7)
    assert context.facts == {"documents": 900, "num_partitions": 6, "recall": 1.0, "recall_queries": 70}


@pytest.mark.parametrize(
    ("index", "params"),
    [
        ("ivf_flat", {"nprobes": 2, "num_partitions": 30}),
        ("ivf_pq", {"nprobes": 6, "num_partitions": 6, "refine_factor": 2}),
        ("ivf_hnsw_sq", {"nprobes": 1, "num_partitions": 2, "ef": 40}),
    ],
)
def test_the_recall_is_that_against_the_exact_search(index: str, params: dict[str, object]) -> None:
    found, context = run(MANY, index=index, top_k=20, **params)
    expected = pairs(exact(MANY, 20))
    assert context.facts["recall"] == pytest.approx(len(pairs(found) & expected) / len(expected), abs=1e-6)
    assert 0.1 < context.facts["recall"] < 1
    cosines = {(row["query_id"], row["doc_id"]): row["score"] for row in exact(MANY, 900).to_pylist()}
    for query in range(70):
        rows = [row for row in found.to_pylist() if row["query_id"] == f"q{query:03}"]
        assert rows == sorted(rows, key=lambda row: (-row["score"], row["doc_id"]))
        assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
        assert [row["score"] for row in rows] == pytest.approx(
            [cosines[f"q{query:03}", r["doc_id"]] for r in rows], abs=2e-7
        )


@pytest.mark.parametrize("index", INDICES)
def test_looking_at_more_finds_more(index: str) -> None:
    def recall(**params: object) -> float:
        return float(run(MANY, index=index, top_k=10, num_partitions=9, **params)[1].facts["recall"])

    assert recall(nprobes=1, recall_sample=70) < recall(nprobes=9, refine_factor=8, recall_sample=70)


@pytest.mark.parametrize("seed", [0, 7])
def test_a_flat_index_gives_the_same_again_whatever_the_order_and_blocks(seed: int) -> None:
    shuffled = MANY.take(np.random.default_rng(seed).permutation(len(MANY)))
    params = {"top_k": 10, "nprobes": 2, "seed": seed}
    assert retrieve(MANY, **params).equals(retrieve(shuffled, query_block=13, **params))


def test_another_seed_gives_other_partitions_and_another_sample() -> None:
    assert not retrieve(MANY, nprobes=1, seed=0).equals(retrieve(MANY, nprobes=1, seed=1))


def test_a_recall_below_the_least_is_refused_before_anything_is_published() -> None:
    with pytest.raises(StageError, match=r"recall@10 is 0\.\d+, and min_recall 0.99"):
        retrieve(MANY, top_k=10, nprobes=1, min_recall=0.99)
    assert retrieve(MANY, top_k=10, min_recall=1, **EVERYWHERE).num_rows == 700


def test_the_recall_may_be_left_out_or_sampled() -> None:
    assert "recall" not in run(MANY, recall_sample=0)[1].facts
    assert run(MANY, recall_sample=9)[1].facts["recall_queries"] == 9


@settings(max_examples=25, deadline=None)
@given(
    arrays(np.int8, st.tuples(st.integers(0, 5), st.just(3)), elements=st.integers(-2, 2)),
    arrays(np.int8, st.tuples(st.integers(0, 12), st.just(3)), elements=st.integers(-2, 2)),
)
def test_few_documents_are_searched_exactly(queries: Matrix, documents: Matrix) -> None:
    """Few small integers: many ties, parallel vectors and zeros; more is asked for than there is."""
    found, context = run(table(queries, documents), top_k=20)
    assert pairs(found) == pairs(exact(table(queries, documents), 20))
    assert context.facts.get("recall", 1.0) == 1.0
    rows = found.to_pylist()
    assert rows == sorted(rows, key=lambda row: (row["query_id"], -row["score"], row["doc_id"]))


@pytest.mark.parametrize("index", INDICES)
def test_zero_vectors_are_no_candidates_and_have_none(index: str) -> None:
    queries, documents = unit_rows(3, 3), unit_rows(4, 300)
    queries[1], documents[::2] = 0, 0
    documents = np.concatenate([documents, unit_rows(5, 300)])
    found, context = run(table(queries, documents), index=index, nprobes=1000)
    assert context.facts["documents"] == 450
    assert {query for query, _ in pairs(found)} == {"q000", "q002"}
    assert not {f"d{i:04}" for i in range(0, 300, 2)} & {name for _, name in pairs(found)}


@pytest.mark.parametrize("index", INDICES)
def test_copies_of_one_vector_make_an_index_too(index: str) -> None:
    names = [f"é{i:03}" for i in range(400)]
    found, context = run(table(unit_rows(6, 1), np.repeat(unit_rows(7, 1), 400, axis=0), names), index=index, top_k=5)
    assert context.facts["recall"] == 1.0
    assert found["rank"].to_pylist() == [1, 2, 3, 4, 5]
    assert found["doc_id"].to_pylist() == sorted(found["doc_id"].to_pylist())


def test_top_k_beyond_the_corpus_and_more_partitions_than_documents() -> None:
    vectors = table(unit_rows(8, 2), unit_rows(9, 300))
    found, context = run(vectors, top_k=1000, num_partitions=5000, nprobes=5000)
    assert found.num_rows == 600
    assert context.facts["num_partitions"] == 300


@pytest.mark.parametrize(("queries", "documents"), [(0, 0), (0, 3), (3, 0), (1, 1), (0, 300)])
def test_no_queries_or_no_documents(queries: int, documents: int) -> None:
    found = retrieve(table(unit_rows(8, queries), unit_rows(9, documents)))
    assert found.num_rows == queries * documents
    assert found.schema == SCHEMA


def test_no_direction_anywhere() -> None:
    assert retrieve(table(np.zeros((2, 3), np.float32), np.zeros((300, 3), np.float32))).num_rows == 0


def test_sub_vectors_must_divide_the_width() -> None:
    with pytest.raises(StageError, match="sub_vectors is 7, which does not divide the width of the vectors, 24"):
        retrieve(MANY, index="ivf_pq", sub_vectors=7)
    assert retrieve(MANY, index="ivf_pq", sub_vectors=6).num_rows == 7000


def test_nothing_is_written_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    for index in INDICES:
        retrieve(MANY, index=index)
    assert capfd.readouterr() == ("", "")


def test_an_odd_width_has_a_codebook_too() -> None:
    vectors = table(unit_rows(10, 4, 7), unit_rows(11, 300, 7))
    assert run(vectors, index="ivf_pq", top_k=5, nprobes=300, refine_factor=10)[1].facts["recall"] > 0.9


def test_refuses_vectors_that_are_not_usable() -> None:
    nan = unit_rows(12, 2)
    nan[1, 3] = np.nan
    ragged = pa.array([[1.0, 2.0], [1.0]], pa.list_(pa.float32()))
    for bad, words in (
        (pa.concat_tables([MANY, MANY.slice(0, 1)]), "'q000' occurs more than once"),
        (table(unit_rows(13, 2), nan), "not finite"),
        (table(nan, unit_rows(13, 2)), "not finite"),
        (pa.table({"kind": ["document", "query"], "id": ["a", "b"], "vector": ragged}), "FLOAT"),
    ):
        with pytest.raises(StageError, match=words):
            retrieve(bad)


@pytest.mark.parametrize(
    "params",
    [
        {"top_k": 0},
        {"index": "ivf"},
        {"nprobes": 0},
        {"ef": 200},
        {"index": "ivf_hnsw_sq", "ef": 50},
        {"sub_vectors": 8},
        {"min_recall": 0.9, "recall_sample": 0},
        {"min_recall": 1.5},
        {"retriever": ""},
    ],
)
def test_refuses_impossible_parameters(params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ApproximateParams(**{"retriever": "dense", **params})


def test_a_sample_of_zeros_still_makes_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRAINED_PER_PARTITION", 1)
    documents = np.concatenate([np.zeros((2000, 4), np.float32), unit_rows(14, 300, 4)])
    assert run(table(unit_rows(15, 2, 4), documents), num_partitions=9)[1].facts["recall"] == 1.0
