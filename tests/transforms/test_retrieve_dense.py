"""Dense retrieval against a float64 brute force, and what it promises about ties, blocks and zero vectors."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pydantic import ValidationError

from hnm.context import Context, Settings
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.retrieval.candidates import SCHEMA
from hnm.transforms.retrieve_dense import DenseParams, retrieve_dense

Matrix = NDArray[np.float32]
HERE = Path()


def table(queries: Matrix, documents: Matrix, names: list[str] | None = None) -> pa.Table:
    rows = np.concatenate([queries, documents]).astype(np.float32)
    names = names or [f"d{i:03}" for i in range(len(documents))]
    return pa.table(
        {
            "kind": pa.array(["query"] * len(queries) + ["document"] * len(documents), pa.string()),
            "id": pa.array([f"q{i:03}" for i in range(len(queries))] + names, pa.string()),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1]),
        }
    )


def retrieve(vectors: pa.Table, threads: int = 2, **params: object) -> pa.Table:
    context = Context("dense", HERE, HERE, Settings(cores=threads))
    batches = list(retrieve_dense(Inputs.of(vectors=vectors), DenseParams(retriever="dense", **params), context))
    return pa.Table.from_batches(batches, SCHEMA)


def found(candidates: pa.Table, query: str) -> list[str]:
    return [row["doc_id"] for row in candidates.to_pylist() if row["query_id"] == query]


def unit(rows: Matrix) -> NDArray[np.float64]:
    wide = rows.astype(np.float64)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


def random_rows(seed: int, count: int, width: int = 24) -> Matrix:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def test_equals_brute_force_on_separated_vectors() -> None:
    queries, documents = random_rows(1, 40), random_rows(2, 300)
    result = retrieve(table(queries, documents), top_k=25)
    cosines = unit(queries) @ unit(documents).T
    expected = np.argsort(-cosines, axis=1)[:, :25]
    assert result["doc_id"].to_pylist() == [f"d{i:03}" for i in expected.ravel()]
    assert result["query_id"].to_pylist() == [f"q{i:03}" for i in range(40) for _ in range(25)]
    assert result["rank"].to_pylist() == list(range(1, 26)) * 40
    assert set(result["retriever"].to_pylist()) == {"dense"}
    np.testing.assert_allclose(result["score"].to_numpy(), np.take_along_axis(cosines, expected, 1).ravel(), atol=1e-7)


def test_copies_are_ranked_by_id_also_at_the_cutoff() -> None:
    copy = random_rows(3, 1)
    documents = np.concatenate([np.repeat(copy, 9, axis=0), -copy])
    names = ["b", "é", "a", "C", "10", "9", "z", "aa", "", "far"]
    result = retrieve(table(copy, documents, names), top_k=5)
    assert found(result, "q000") == sorted(names[:-1])[:5]
    assert result["score"].to_pylist() == [1.0] * 5


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.int8, st.tuples(st.integers(0, 6), st.just(3)), elements=st.integers(-2, 2)),
    arrays(np.int8, st.tuples(st.integers(0, 12), st.just(3)), elements=st.integers(-2, 2)),
    st.integers(1, 14),
    st.tuples(st.integers(1, 7), st.integers(1, 13), st.integers(1, 3)),
    st.data(),
)
def test_blocks_threads_and_row_order_change_nothing(
    queries: Matrix, documents: Matrix, top_k: int, blocks: tuple[int, int, int], data: st.DataObject
) -> None:
    """Few small integers: many ties, parallel vectors and zeros."""
    vectors = table(queries, documents)
    order = pa.array(data.draw(st.permutations(range(len(vectors)))), pa.int64())
    plain = retrieve(vectors, top_k=top_k)
    again = retrieve(
        vectors.take(order), top_k=top_k, query_block=blocks[0], document_block=blocks[1], threads=blocks[2]
    )
    assert plain.equals(again)

    directed = [i for i, row in enumerate(documents) if row.any()]
    for number, query in enumerate(queries):
        rows = [row for row in plain.to_pylist() if row["query_id"] == f"q{number:03}"]
        assert len(rows) == (min(top_k, len(directed)) if query.any() else 0)
        assert rows == sorted(rows, key=lambda row: (-row["score"], row["doc_id"]))
        if rows:
            cosines = dict(zip(directed, (unit(documents[directed]) @ unit(query[None, :])[0]).tolist(), strict=True))
            for row in rows:
                assert row["score"] == pytest.approx(cosines.pop(int(row["doc_id"][1:])), abs=1e-7)
            assert all(left <= rows[-1]["score"] + 1e-7 for left in cosines.values())


def test_scores_are_equal_to_the_last_bit_whatever_the_blocks() -> None:
    """Widths and block shapes for which plain float32 products do differ in their last bits."""
    vectors = table(random_rows(4, 70, 384), random_rows(5, 500, 384))
    plain = retrieve(vectors, top_k=500)
    for query_block, document_block in ((1, 500), (13, 37), (70, 1)):
        assert plain.equals(retrieve(vectors, top_k=500, query_block=query_block, document_block=document_block))


def test_only_the_direction_counts_and_scores_stay_within_bounds() -> None:
    rows = random_rows(6, 60)
    scaled = retrieve(table(rows * np.float32(0.37), rows * np.float32(4)), top_k=60)
    assert scaled.select(["query_id", "doc_id", "rank"]).equals(
        retrieve(table(rows, rows), top_k=60).select(["query_id", "doc_id", "rank"])
    )
    opposite = retrieve(table(rows, np.concatenate([rows, -rows])), top_k=120)["score"].to_numpy()
    assert opposite.max() == 1.0
    assert opposite.min() == -1.0


def test_zero_vectors_are_no_candidates_and_have_none() -> None:
    rows = random_rows(7, 4)
    rows[2] = 0
    result = retrieve(table(rows, rows), top_k=10)
    assert found(result, "q002") == []
    assert all(sorted(found(result, f"q00{i}")) == ["d000", "d001", "d003"] for i in (0, 1, 3))


@pytest.mark.parametrize(("queries", "documents"), [(0, 0), (0, 3), (3, 0), (1, 1)])
def test_no_queries_or_no_documents(queries: int, documents: int) -> None:
    result = retrieve(table(random_rows(8, queries), random_rows(9, documents)))
    assert result.num_rows == queries * documents
    assert result.schema == SCHEMA


def test_refuses_vectors_that_are_not_usable() -> None:
    good = table(random_rows(10, 2), random_rows(11, 2))
    nan = random_rows(12, 2)
    nan[1, 3] = np.nan
    missing = pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2))
    partial = pa.array([[1.0, 2.0], [1.0, None]], pa.list_(pa.float32(), 2))
    ragged = pa.array([[1.0, 2.0], [1.0]], pa.list_(pa.float32()))
    for bad, words in (
        (pa.concat_tables([good, good.slice(0, 1)]), "'q000' occurs more than once"),
        (table(random_rows(13, 2), nan), "not finite"),
        (pa.table({"kind": ["document", "query"], "id": ["a", "b"], "vector": missing}), "has no vector"),
        (pa.table({"kind": ["document", "query"], "id": ["a", "b"], "vector": partial}), "missing components"),
        (pa.table({"kind": ["document", "query"], "id": ["a", "b"], "vector": ragged}), "FLOAT"),
    ):
        with pytest.raises(StageError, match=words):
            retrieve(bad)


@pytest.mark.parametrize("params", [{"top_k": 0}, {"document_block": 0}, {"retriever": ""}, {"approximate": True}])
def test_refuses_impossible_parameters(params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DenseParams(**{"retriever": "dense", **params})


# Lists that are maintained.

few = st.dictionaries(st.sampled_from("abcdefghij"), st.tuples(*[st.integers(-2, 2)] * 3), max_size=10)


def of(queries: dict[str, tuple[int, ...]], documents: dict[str, tuple[int, ...]]) -> pa.Table:
    rows = [*(("query", *row) for row in queries.items()), *(("document", *row) for row in documents.items())]
    return pa.table(
        {
            "kind": pa.array([row[0] for row in rows], pa.string()),
            "id": pa.array([row[1] for row in rows], pa.string()),
            "vector": pa.array([row[2] for row in rows], pa.list_(pa.float32(), 3)),
        }
    )


def changes(before: pa.Table, after: pa.Table) -> pa.Table:
    old, new = ({(row["kind"], str(row["id"])): row["vector"] for row in some.to_pylist()} for some in (before, after))
    rows = [
        {
            "kind": key[0],
            "id": key[1],
            "change": "inserted" if key not in old else "changed" if key in new else "deleted",
        }
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]
    return pa.Table.from_pylist(rows, pa.schema([(name, pa.string()) for name in ("kind", "id", "change")]))


@settings(max_examples=60, deadline=None)
@given(few, few, few, few, st.integers(1, 6), st.integers(1, 4))
def test_maintained_lists_equal_a_full_search(
    old_queries: dict[str, tuple[int, ...]],
    old_documents: dict[str, tuple[int, ...]],
    new_queries: dict[str, tuple[int, ...]],
    new_documents: dict[str, tuple[int, ...]],
    top_k: int,
    block: int,
) -> None:
    before, after = of(old_queries, old_documents), of(new_queries, new_documents)
    params = DenseParams(retriever="dense", top_k=top_k, query_block=block)
    inputs = Inputs.of(vectors=after, previous=retrieve(before, top_k=top_k), changed_vectors=changes(before, after))
    maintained = pa.Table.from_batches(retrieve_dense(inputs, params, Context("dense", HERE, HERE)), SCHEMA)
    assert maintained.equals(retrieve(after, top_k=top_k))


def test_only_what_changed_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    from hnm.retrieval import cosine

    queries, documents = random_rows(11, 50), random_rows(12, 200)
    before, after = table(queries, documents[:-1]), table(queries, documents)
    last = retrieve(before, top_k=10)
    scored = []
    cosines = cosine.cosines
    monkeypatch.setattr(cosine, "cosines", lambda q, d: scored.append(len(q) * len(d)) or cosines(q, d))
    inputs = Inputs.of(vectors=after, previous=last, changed_vectors=changes(before, after))
    params = DenseParams(retriever="dense", top_k=10)
    maintained = pa.Table.from_batches(retrieve_dense(inputs, params, Context("dense", HERE, HERE)), SCHEMA)
    assert sum(scored) == 50  # one new document against each query
    assert maintained.equals(retrieve(after, top_k=10))


def test_changes_without_a_kind_lead_to_a_full_search() -> None:
    before, after = of({"q": (1, 0, 0)}, {"a": (1, 1, 0)}), of({"q": (1, 0, 0)}, {"a": (1, 1, 0), "b": (1, 0, 0)})
    by_id = changes(before, after).drop_columns("kind")  # what is there when `unique_key` is the id alone
    inputs = Inputs.of(vectors=after, previous=retrieve(before), changed_vectors=by_id)
    found = pa.Table.from_batches(retrieve_dense(inputs, DenseParams(retriever="dense"), Context("dense", HERE, HERE)))
    assert found.equals(retrieve(after))


def test_ids_may_be_numbers() -> None:
    def numbered(documents: int) -> pa.Table:
        rows = of({"0": (1, 1, 0)}, {str(place): (place, 1, 0) for place in range(8, 8 + documents)})
        return rows.set_column(1, "id", rows["id"].cast(pa.int64()))

    before, after = numbered(4), numbered(5)
    told = changes(before, after)
    entered = told.set_column(1, "id", told["id"].cast(pa.int64()))
    inputs = Inputs.of(vectors=after, previous=retrieve(before, top_k=3), changed_vectors=entered)
    params = DenseParams(retriever="dense", top_k=3)
    kept = pa.Table.from_batches(retrieve_dense(inputs, params, Context("dense", HERE, HERE)))
    assert kept.equals(retrieve(after, top_k=3))
    assert found(kept, "0") == ["8", "9", "10"]
