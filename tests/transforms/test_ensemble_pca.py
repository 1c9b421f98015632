"""The ensemble's components against scikit-learn's PCA of the weighted concatenation."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from sklearn.decomposition import PCA

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.models.vectors import embedding_schema, to_column
from hnm.transforms import _fusion
from hnm.transforms.ensemble_pca import EnsemblePcaParams, ensemble_pca

Matrix = NDArray[np.float64]
HERE = Path()


def table(vectors: Matrix, queries: int = 0, order: NDArray[np.int64] | None = None) -> pa.Table:
    """Embeddings of which the last `queries` are queries'."""
    count = len(vectors)
    kinds = ["document"] * (count - queries) + ["query"] * queries
    ids = [f"{i:04}" for i in range(count)]
    keys = [pa.array(column, pa.string()) for column in (kinds, ids, [f"hash {i}" for i in ids])]
    made = pa.table([*keys, to_column(vectors)], names=embedding_schema(1).names)
    return made if order is None else made.take(order)


def fit(tables: dict[str, pa.Table], **params: object) -> tuple[pa.Table, Context]:
    context = Context("ensemble_pca", HERE, HERE)
    batches = list(ensemble_pca(Inputs.of(**tables), EnsemblePcaParams(**params), context))
    return pa.Table.from_batches(batches), context


def matrix(fitted: pa.Table) -> tuple[Matrix, Matrix]:
    column = fitted["vector"].combine_chunks()
    rows = column.flatten().to_numpy().reshape(len(fitted), column.type.list_size).astype(np.float64)
    return rows[0], rows[1:]


def unit(rows: Matrix) -> Matrix:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def two_models(count: int, seed: int = 0) -> dict[str, Matrix]:
    """Vectors of 6 and 4 numbers that vary more in some directions than in others, as float32 holds them."""
    random = np.random.default_rng(seed)
    made = {name: random.normal(size=(count, width)) for name, width in (("a", 6), ("b", 4))}
    return {name: (rows * np.linspace(2, 0.2, rows.shape[1]) + 0.3).astype(np.float32) for name, rows in made.items()}


def concatenated(models: dict[str, Matrix], weights: dict[str, float]) -> tuple[Matrix, Matrix]:
    total = sum(weights.values())
    scales = [np.full(models[name].shape[1], np.sqrt(weights[name] / total)) for name in sorted(models)]
    scale = np.concatenate(scales)
    return np.hstack([unit(models[name].astype(np.float64)) for name in sorted(models)]) * scale, scale


@pytest.mark.parametrize("variance", [0.5, 0.8, 0.95, 0.999, 1.0, None])
@pytest.mark.parametrize("weights", [{"a": 1.0, "b": 1.0}, {"a": 3.0, "b": 0.5}])
def test_components_are_those_of_scikit_learn(variance: float | None, weights: dict[str, float]) -> None:
    models = two_models(200)
    fitted, context = fit({name: table(rows) for name, rows in models.items()}, variance=variance, weights=weights)
    fused, scale = concatenated(models, weights)
    oracle = PCA(n_components=variance if variance and variance < 1 else None, svd_solver="full").fit(fused)
    mean, components = matrix(fitted)
    assert len(components) == context.facts["components"] == oracle.n_components_
    np.testing.assert_allclose(mean * scale, oracle.mean_, atol=1e-6)
    np.testing.assert_allclose(np.abs(components / scale), np.abs(oracle.components_), atol=1e-5)
    ratios = fitted["explained_variance_ratio"].to_pylist()
    assert ratios[0] is None
    np.testing.assert_allclose(ratios[1:], oracle.explained_variance_ratio_, atol=1e-9)
    largest = np.take_along_axis(components / scale, np.abs(components / scale).argmax(axis=1)[:, None], axis=1)
    assert (largest > 0).all()


def test_without_centring_it_is_the_decomposition_of_the_second_moments() -> None:
    models = two_models(100)
    fitted, _ = fit({name: table(rows) for name, rows in models.items()}, center=False, variance=None)
    fused, scale = concatenated(models, {"a": 1, "b": 1})
    _, singular, directions = np.linalg.svd(fused, full_matrices=False)
    mean, components = matrix(fitted)
    assert not mean.any()
    np.testing.assert_allclose(np.abs(components / scale), np.abs(directions), atol=1e-5)
    np.testing.assert_allclose(
        fitted["explained_variance_ratio"].to_pylist()[1:], singular**2 / (singular**2).sum(), atol=1e-9
    )


def test_the_columns_and_the_layout() -> None:
    models = two_models(30)
    fitted, context = fit({name: table(rows) for name, rows in models.items()})
    assert fitted.schema.names == ["component", "explained_variance_ratio", "vector", "layout"]
    assert fitted["component"].to_pylist() == list(range(len(fitted)))
    assert fitted.schema.field("component").type == pa.int32()
    assert fitted.schema.field("vector").type == pa.list_(pa.float32(), 10)
    assert set(fitted["layout"].to_pylist()) == {"a:6 b:4"}
    assert context.facts["fitted_on"] == 30
    assert context.facts["explained_variance"] >= 0.95


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 7, 64, 8_192]))
@settings(max_examples=15, deadline=None)
def test_neither_the_order_of_rows_nor_the_batches_matter(seed: int, batch: int) -> None:
    models = two_models(64)
    first, _ = fit({name: table(rows) for name, rows in models.items()})
    order = np.random.default_rng(seed).permutation(64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_fusion, "BATCH_ROWS", batch)
        second, _ = fit({name: table(rows, order=order) for name, rows in models.items()})
    for one, other in zip(matrix(first), matrix(second), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_fit_on_chooses_the_rows() -> None:
    models = two_models(100)
    tables = {name: table(rows, queries=40) for name, rows in models.items()}
    for fit_on, chosen in (("documents", slice(0, 60)), ("queries", slice(60, 100)), ("both", slice(0, 100))):
        fitted, context = fit(tables, fit_on=fit_on)
        fused, scale = concatenated({name: rows[chosen] for name, rows in models.items()}, {"a": 1, "b": 1})
        np.testing.assert_allclose(matrix(fitted)[0] * scale, fused.mean(axis=0), atol=1e-6)
        assert context.facts["fitted_on"] == len(fused)


def test_a_sample_is_drawn_by_seed_and_id_alone() -> None:
    models = two_models(100)
    tables = {name: table(rows) for name, rows in models.items()}
    turned = {name: table(rows, order=np.arange(100)[::-1]) for name, rows in models.items()}
    first, context = fit(tables, sample=30, seed=1)
    assert context.facts["fitted_on"] == 30
    assert first.equals(fit(turned, sample=30, seed=1)[0])
    assert not first.equals(fit(tables, sample=30, seed=2)[0])
    assert fit(tables, sample=1_000)[1].facts["fitted_on"] == 100


def test_texts_without_direction_are_left_out() -> None:
    models = two_models(50)
    with_zeros = {name: np.vstack([rows, np.zeros((5, rows.shape[1]))]) for name, rows in models.items()}
    one, context = fit({name: table(rows) for name, rows in with_zeros.items()})
    other, _ = fit({name: table(rows) for name, rows in models.items()})
    assert one.equals(other)
    assert context.facts["fitted_on"] == 50


def test_fewer_texts_than_dimensions_leave_only_directions_that_vary() -> None:
    tables = {name: table(rows) for name, rows in two_models(4).items()}
    assert len(matrix(fit(tables, variance=1.0)[0])[1]) == 3  # 4 points span 3 dimensions around their mean
    assert len(matrix(fit(tables, variance=1.0, center=False)[0])[1]) == 4
    full = matrix(fit(tables, variance=None)[0])[1] / np.sqrt(0.5)
    np.testing.assert_allclose(full @ full.T, np.eye(10), atol=1e-6)


def test_one_text_and_equal_texts_give_one_component() -> None:
    one = np.ones((1, 3), np.float32)
    for rows in (one, np.repeat(one, 5, axis=0)):
        mean, components = matrix(fit({"a": table(rows)})[0])
        assert components.shape == (1, 3)
        np.testing.assert_allclose(mean, unit(one)[0], atol=1e-6)


def test_a_model_of_weight_zero_has_no_part() -> None:
    models = two_models(50)
    fitted, _ = fit({name: table(rows) for name, rows in models.items()}, weights={"b": 0})
    assert not matrix(fitted)[1][:, 6:].any()


@pytest.mark.parametrize(
    ("weights", "words"), [({"c": 1.0}, "no input"), ({"embeddings_a": 1.0}, "no input"), ({"a": 0, "b": 0}, "zero")]
)
def test_weights_that_do_not_fit_are_refused(weights: dict[str, float], words: str) -> None:
    tables = {name: table(rows) for name, rows in two_models(9).items()}
    with pytest.raises(StageError, match=words):
        fit(tables, weights=weights)


@pytest.mark.parametrize(
    "params", [{"weights": {"a": -1}}, {"weights": {"a": float("nan")}}, {"variance": 0}, {"variance": 1.5}, {"x": 1}]
)
def test_parameters_out_of_range_are_refused(params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EnsemblePcaParams(**params)


def test_tables_with_different_rows_are_refused_with_their_counts() -> None:
    models = two_models(9)
    with pytest.raises(StageError, match="a 9, b 8; with kind, id and text_hash in all of them: 8"):
        fit({"a": table(models["a"]), "b": table(models["b"][:8])})
    changed = table(models["b"]).set_column(2, "text_hash", pa.array(["other text"] * 9))
    with pytest.raises(StageError, match="in all of them: 0"):
        fit({"a": table(models["a"]), "b": changed})


def test_nothing_to_fit_on_is_refused() -> None:
    rows = two_models(9)["a"]
    with pytest.raises(StageError, match="nothing to fit"):
        fit({"a": table(rows[:0])})
    with pytest.raises(StageError, match="nothing to fit"):
        fit({"a": table(rows)}, fit_on="queries")
    with pytest.raises(StageError, match="at least one table"):
        fit({})


def test_vectors_that_are_no_vectors_are_refused() -> None:
    rows = table(two_models(3)["a"])
    loose = rows.set_column(3, "vector", rows["vector"].cast(pa.list_(pa.float32())))
    with pytest.raises(StageError, match="fixed size"):
        fit({"a": loose})
    broken = two_models(3)["a"].copy()
    broken[0, 0] = np.nan
    with pytest.raises(StageError, match="a: a vector is not finite"):
        fit({"a": table(broken)})


# A fit that is kept.


def refit(models: dict[str, Matrix], last: pa.Table, **params: object) -> tuple[pa.Table, Context]:
    return fit({"previous": last, **{name: table(rows) for name, rows in models.items()}}, **params)


def test_a_fit_is_kept_while_it_explains_as_much() -> None:
    models = two_models(400)
    first, _ = fit({name: table(rows[:390]) for name, rows in models.items()})
    again, context = refit(models, first)
    assert again.equals(first)
    assert abs(context.facts["drift"]) < 0.01


def test_drift_is_the_loss_of_explained_variance_against_scikit_learn() -> None:
    models, shifted = two_models(300), two_models(300, seed=5)
    shifted["a"] = shifted["a"][:, ::-1].copy()  # varies most where the others vary least
    first, _ = fit({name: table(rows) for name, rows in models.items()}, variance=0.8)
    again, context = refit(shifted, first, variance=0.8, max_drift=1.0)
    assert again.equals(first)
    wide, _ = concatenated(shifted, {"a": 1, "b": 1})
    pca = PCA(n_components=len(first) - 1).fit(concatenated(models, {"a": 1, "b": 1})[0])
    around = wide - pca.mean_
    explained = np.square(around @ pca.components_.T).sum() / np.square(around).sum()
    assert context.facts["drift"] == pytest.approx(pca.explained_variance_ratio_.sum() - explained, abs=1e-4)


@pytest.mark.parametrize(("drifted", "max_drift"), [(True, 0.01), (False, 0)])
def test_a_fit_is_made_anew_after_drift_and_where_none_is_allowed(drifted: bool, max_drift: float) -> None:
    models, now = two_models(300), two_models(300, seed=5)
    if drifted:
        now["a"] = now["a"][:, ::-1].copy()
    first, _ = fit({name: table(rows) for name, rows in models.items()})
    again, _ = refit(now, first, max_drift=max_drift)
    anew, _ = fit({name: table(rows) for name, rows in now.items()})
    assert again.equals(anew)
    assert not again.equals(first)


@pytest.mark.parametrize("variance", [None, 0.95])
def test_a_fit_is_made_anew_when_the_mean_has_moved(variance: float | None) -> None:
    models = two_models(300)
    now = {name: rows + 3 * np.eye(rows.shape[1], dtype=np.float32)[0] for name, rows in models.items()}
    first, _ = fit({name: table(rows) for name, rows in models.items()}, variance=variance)
    again, _ = refit(now, first, variance=variance)
    assert again.equals(fit({name: table(rows) for name, rows in now.items()}, variance=variance)[0])
    kept, _ = fit({name: table(rows) for name, rows in models.items()}, variance=variance, center=False)
    assert refit(now, kept, variance=variance, center=False)[0].equals(kept)  # no mean is subtracted


def test_a_fit_over_other_widths_is_made_anew() -> None:
    models = two_models(100)
    first, _ = fit({name: table(rows[:, :3]) for name, rows in models.items()})
    again, _ = refit(models, first, max_drift=1.0)
    assert again.equals(fit({name: table(rows) for name, rows in models.items()})[0])
