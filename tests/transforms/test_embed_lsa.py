"""LSA against a dense decomposition of scikit-learn's TF-IDF, and what it promises about blanks and order."""

import hashlib
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from sklearn.feature_extraction.text import TfidfVectorizer

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.models.vectors import embedding_schema
from hnm.transforms.embed_lsa import LsaParams, embed_lsa

HERE = Path()
Row = tuple[str, str, str | None]
WORDS = ["fox", "den", "red", "tree", "lake", "café", "naïve", "東京", "x12", "cell", "cells", "blue"]


def texts(rows: list[Row]) -> pa.Table:
    columns = [*zip(*rows, strict=True)] or [(), (), ()]
    hashes = [hashlib.sha256((row[2] or "").encode()).hexdigest() for row in rows]
    arrays = [pa.array(column, pa.string()) for column in (*columns, hashes)]
    return pa.table(arrays, names=["kind", "id", "text", "text_hash"])


def run(rows: list[Row] | pa.Table, **params: object) -> tuple[pa.Table, Context]:
    table = rows if isinstance(rows, pa.Table) else texts(rows)
    context = Context("lsa", HERE, HERE)
    batches = list(embed_lsa(Inputs.of(texts=table), LsaParams(**{"dim": 8, "min_df": 1, **params}), context))
    return pa.Table.from_batches(batches), context


def vectors(table: pa.Table) -> NDArray[np.float64]:
    column = table["vector"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(table), column.type.list_size).astype(np.float64)


def unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 1e-6, lengths, np.inf)


def collection(seed: int, documents: int, queries: int = 0) -> list[Row]:
    source = random.Random(seed)
    kinds = ["document"] * documents + ["query"] * queries
    return [(kind, f"{i:03}", " ".join(source.choices(WORDS, k=source.randint(1, 9)))) for i, kind in enumerate(kinds)]


@pytest.mark.parametrize("params", [{}, {"ngram": 2}, {"terms": "characters", "ngram": 3}, {"sublinear": False}])
def test_cosines_are_those_of_a_dense_decomposition(params: dict[str, object]) -> None:
    rows = collection(1, 60, 20)
    made = vectors(run(rows, dim=5, iterations=20, **params)[0])
    vectorizer = TfidfVectorizer(
        analyzer="char_wb" if "terms" in params else "word",
        ngram_range=(1, int(str(params.get("ngram", 1)))),
        sublinear_tf=params.get("sublinear", True),
    )
    matrix = vectorizer.fit_transform([row[2] for row in rows[:60]]).toarray()
    directions = np.linalg.svd(matrix, full_matrices=False)[2][:5]
    expected = unit(vectorizer.transform([row[2] for row in rows]).toarray() @ directions.T)
    np.testing.assert_allclose(made @ made.T, expected @ expected.T, atol=1e-4)


def test_with_all_directions_cosines_are_those_of_tf_idf() -> None:
    rows = collection(2, 40)
    table, context = run(rows, dim=64)
    matrix = TfidfVectorizer(sublinear_tf=True).fit_transform([row[2] for row in rows]).toarray()
    made = vectors(table)
    np.testing.assert_allclose(made @ made.T, matrix @ matrix.T, atol=1e-5)
    assert made.shape == (40, 64)
    assert context.facts["dimensions"] == context.facts["terms"] == len(WORDS)
    assert context.facts["explained_share"] == pytest.approx(1)
    assert not made[:, len(WORDS) :].any()


@given(
    st.lists(
        st.tuples(st.sampled_from(["document", "query"]), st.lists(st.sampled_from([*WORDS, "b", "!"]), max_size=5)),
        max_size=12,
    ),
    st.randoms(),
    st.integers(1, 3),
)
@settings(max_examples=40, deadline=None)
def test_any_texts_in_any_order_give_vectors_of_length_one_or_zero(
    given_texts: list[tuple[str, list[str]]], source: random.Random, min_df: int
) -> None:
    rows: list[Row] = [(kind, f"é{i}", " ".join(words)) for i, (kind, words) in enumerate(given_texts)]
    table, _ = run(rows, min_df=min_df)
    assert table.schema == embedding_schema(8)
    assert table["id"].to_pylist() == [row[1] for row in sorted(rows)]
    lengths = np.linalg.norm(vectors(table), axis=1)
    assert all(abs(length - 1) < 1e-5 or length == 0 for length in lengths)
    assert table.equals(run(source.sample(rows, len(rows)), min_df=min_df)[0])


def test_a_text_without_a_known_term_gets_zeros() -> None:
    rows: list[Row] = [
        ("document", "a", "fox den"),
        ("document", "b", "den lake"),
        ("document", "c", " \n"),
        ("document", "d", None),
        ("query", "e", "zebra"),
        ("query", "f", "DEN zebra"),
    ]
    assert [bool(row.any()) for row in vectors(run(rows)[0])] == [True, True, False, False, False, True]


@pytest.mark.parametrize(
    "rows",
    [[], [("query", "q", "fox")], [("document", "a", "")], [("document", "a", "a b ?")], [("document", "a", None)]],
)
def test_without_any_term_all_vectors_are_zeros(rows: list[Row]) -> None:
    table, context = run(rows)
    assert table.schema == embedding_schema(8)
    assert not vectors(table).any()
    assert context.facts["terms"] == 0


def test_one_document_with_one_term() -> None:
    table, _ = run([("document", "a", "fox"), ("query", "q", "fox fox")])
    np.testing.assert_allclose(vectors(table) @ vectors(table).T, 1, atol=1e-6)


def test_rare_and_surplus_terms_are_left_out() -> None:
    rows: list[Row] = [("document", "a", "fox den den"), ("document", "b", "fox den"), ("document", "c", "fox lake")]
    assert run(rows)[1].facts["terms"] == 3
    assert run(rows, min_df=2)[1].facts["terms"] == 2
    assert run(rows, max_terms=1)[1].facts["terms"] == 1


def test_the_same_seed_gives_the_same_vectors() -> None:
    rows = collection(3, 80)
    assert run(rows, dim=3)[0].equals(run(rows, dim=3)[0])


def test_a_new_document_changes_all_vectors_and_so_the_version_goes_by_them() -> None:
    rows = collection(4, 80)
    more, last = run([*rows, ("document", "999", "fox zebra zebra")], dim=3)[0], run(rows, dim=3)[0]
    kept = vectors(more)[: len(rows)]
    assert not np.allclose(kept, vectors(last), atol=1e-6)
    assert embed_lsa.version_by is None  # by id and text_hash, these rows would count as unchanged


def test_a_row_without_text_hash_is_refused() -> None:
    table = texts([("document", "a", "fox")])
    with pytest.raises(StageError, match="1 rows have no text_hash"):
        run(table.set_column(3, table.field(3), pa.array([None], pa.string())))


@pytest.mark.parametrize("params", [{"dim": 0}, {"ngram": 0}, {"min_df": 0}, {"terms": "letters"}, {"seed": -1}])
def test_refuses_impossible_parameters(params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LsaParams(**params)
