"""The ensemble's vectors: their cosines are the weighted means of the models' cosines, and what centring changes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.models.vectors import embedding_schema, to_column
from hnm.transforms import _fusion
from hnm.transforms.ensemble import EnsembleParams, ensemble
from hnm.transforms.ensemble_pca import EnsemblePcaParams, ensemble_pca

Matrix = NDArray[np.float64]
HERE = Path()


def table(vectors: Matrix, order: NDArray[np.int64] | None = None) -> pa.Table:
    ids = [f"{i:04}" for i in range(len(vectors))]
    keys = [pa.array(column, pa.string()) for column in (["document"] * len(ids), ids, [f"hash {i}" for i in ids])]
    made = pa.table([*keys, to_column(vectors)], names=embedding_schema(1).names)
    return made if order is None else made.take(order)


def fit(tables: dict[str, pa.Table], **params: object) -> pa.Table:
    return pa.Table.from_batches(
        list(ensemble_pca(Inputs.of(**tables), EnsemblePcaParams(**params), Context("pca", HERE, HERE)))
    )


def apply(pca: pa.Table, tables: dict[str, pa.Table], renormalize: bool = True) -> pa.Table:
    batches = ensemble(
        Inputs.of(pca=pca, **tables), EnsembleParams(renormalize=renormalize), Context("ensemble", HERE, HERE)
    )
    return pa.Table.from_batches(list(batches))


def vectors(made: pa.Table) -> Matrix:
    column = made["vector"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(made), column.type.list_size).astype(np.float64)


def unit(rows: Matrix) -> Matrix:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def models(count: int, widths: tuple[int, ...] = (6, 4), seed: int = 0) -> dict[str, Matrix]:
    random = np.random.default_rng(seed)
    made = {name: random.normal(size=(count, width)) + 0.5 for name, width in zip("abcd", widths, strict=False)}
    return {name: rows.astype(np.float32) for name, rows in made.items()}


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.lists(st.floats(0.01, 100), min_size=4, max_size=4),
    st.integers(1, 12),
)
@settings(max_examples=25, deadline=None)
def test_without_reduction_and_centring_the_cosine_is_the_weighted_mean_of_cosines(
    seed: int, widths: list[int], weights: list[float], count: int
) -> None:
    given_models = models(count, tuple(widths), seed)
    by_name = dict(zip(given_models, weights, strict=False))
    tables = {name: table(rows) for name, rows in given_models.items()}
    made = vectors(apply(fit(tables, weights=by_name, variance=None, center=False), tables))
    cosines = {
        name: unit(rows.astype(np.float64)) @ unit(rows.astype(np.float64)).T for name, rows in given_models.items()
    }
    expected = sum(by_name[name] * cosines[name] for name in cosines) / sum(by_name.values())
    np.testing.assert_allclose(made @ made.T, expected, atol=1e-5)


@pytest.mark.parametrize("renormalize", [True, False])
@pytest.mark.parametrize("center", [True, False])
def test_the_projection_is_that_of_the_weighted_concatenation(renormalize: bool, center: bool) -> None:
    given_models, weights = models(80), {"a": 2.0, "b": 0.5}
    tables = {name: table(rows) for name, rows in given_models.items()}
    made = vectors(apply(fit(tables, weights=weights, variance=0.8, center=center), tables, renormalize))
    fused = np.hstack([np.sqrt(weights[name] / 2.5) * unit(given_models[name].astype(np.float64)) for name in "ab"])
    if center:
        expected = PCA(n_components=0.8, svd_solver="full").fit_transform(fused)
    else:
        _, singular, directions = np.linalg.svd(fused, full_matrices=False)
        kept = 1 + int(np.searchsorted(np.cumsum(singular**2) / (singular**2).sum(), 0.8))
        expected = fused @ directions[:kept].T
    expected = unit(expected) if renormalize else expected
    np.testing.assert_allclose(np.abs(made), np.abs(expected), atol=1e-5)
    np.testing.assert_allclose(made @ made.T, expected @ expected.T, atol=1e-5)


def test_rows_come_out_by_kind_and_id_whatever_the_order_and_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    given_models = models(50)
    tables = {name: table(rows) for name, rows in given_models.items()}
    pca = fit(tables)
    whole = apply(pca, tables)
    assert whole.schema == embedding_schema(whole.schema.field("vector").type.list_size)
    assert whole.select(["kind", "id", "text_hash"]).equals(tables["a"].select(["kind", "id", "text_hash"]))
    monkeypatch.setattr(_fusion, "BATCH_ROWS", 7)
    shuffled = {
        name: table(rows, np.random.default_rng(len(name)).permutation(50)) for name, rows in given_models.items()
    }
    np.testing.assert_allclose(vectors(apply(pca, shuffled)), vectors(whole), atol=1e-6)


@pytest.mark.parametrize("center", [True, False])
def test_zero_vectors_stay_zero(center: bool) -> None:
    given_models = models(20)
    for rows in given_models.values():
        rows[3] = 0
    tables = {name: table(rows) for name, rows in given_models.items()}
    made = vectors(apply(fit(tables, center=center), tables))
    assert not made[3].any()
    np.testing.assert_allclose(np.linalg.norm(np.delete(made, 3, axis=0), axis=1), 1, atol=1e-6)


def test_a_text_that_one_model_cannot_read_still_gets_a_finite_vector() -> None:
    given_models = models(20)
    given_models["b"][3] = 0
    tables = {name: table(rows) for name, rows in given_models.items()}
    made = vectors(apply(fit(tables), tables))
    assert np.isfinite(made).all()
    assert made[3].any()


def test_equal_texts_have_nothing_but_their_mean_and_give_no_nan() -> None:
    tables = {"a": table(np.ones((4, 3), np.float32))}
    assert np.isfinite(vectors(apply(fit(tables), tables))).all()


def test_no_rows_give_one_empty_batch_with_the_columns() -> None:
    given_models = models(20)
    pca = fit({name: table(rows) for name, rows in given_models.items()})
    made = apply(pca, {name: table(rows[:0]) for name, rows in given_models.items()})
    assert (len(made), made.schema) == (0, embedding_schema(len(pca) - 1))


def test_components_of_other_tables_are_refused() -> None:
    given_models = models(20)
    tables = {name: table(rows) for name, rows in given_models.items()}
    pca = fit(tables)
    with pytest.raises(StageError, match="fitted on a:6 b:4; the stage reads a:6"):
        apply(pca, {"a": tables["a"]})
    with pytest.raises(StageError, match="the stage reads a:4 b:6"):
        apply(pca, {"a": tables["b"], "b": tables["a"]})
    with pytest.raises(StageError, match="fitted on nothing"):
        apply(pca.slice(0, 0), tables)


def test_a_missing_id_is_refused_with_the_counts() -> None:
    given_models = models(20)
    tables = {name: table(rows) for name, rows in given_models.items()}
    pca = fit(tables)
    with pytest.raises(StageError, match="a 20, b 19; with kind, id and text_hash in all of them: 19"):
        apply(pca, tables | {"b": tables["b"].slice(1)})


def test_without_components_or_embeddings_it_says_what_is_missing() -> None:
    tables = {name: table(rows) for name, rows in models(20).items()}
    context = Context("ensemble", HERE, HERE)
    with pytest.raises(StageError, match="no input `pca`"):
        list(ensemble(Inputs.of(**tables), EnsembleParams(), context))
    with pytest.raises(StageError, match="at least one table"):
        list(ensemble(Inputs.of(pca=fit(tables)), EnsembleParams(), context))
