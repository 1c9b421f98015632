"""Intervals, p-values and their correction against scipy and against exact enumeration."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hnm.evaluation import bootstrap, randomization
from hnm.evaluation.holm import holm


def paired(seed: int, queries: int, effect: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    base = random.choice([0, 0.1, 0.25, 0.5, 1], queries)
    return base, np.clip(base + random.normal(effect, 0.3, queries), 0, 1)


@pytest.mark.parametrize(("queries", "effect"), [(40, 0.0), (40, 0.06), (300, 0.03)])
def test_the_randomization_test_agrees_with_scipy(queries: int, effect: float) -> None:
    base, system = paired(1, queries, effect)
    ours = randomization.paired_p_values((system - base)[:, None], 20_000, seed=0)[0]
    theirs = stats.permutation_test(
        (system, base),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        rng=5,
    ).pvalue
    assert ours == pytest.approx(theirs, abs=0.015)


def test_the_randomization_test_agrees_with_all_signs_tried() -> None:
    differences = np.array([0.5, 0.5, -0.25, 0.0, 1.0, -0.1, 0.3, 0.3])
    signed = [abs(np.dot(signs, differences)) for signs in product([-1, 1], repeat=len(differences))]
    exact = np.mean([value >= abs(differences.sum()) - 1e-12 for value in signed])
    assert randomization.paired_p_values(differences[:, None], 50_000, seed=3)[0] == pytest.approx(exact, abs=0.01)


def test_systems_that_never_differ_have_p_1_and_a_clear_winner_has_the_smallest_p() -> None:
    differences = np.stack([np.zeros(60), np.full(60, 0.2)], axis=1)
    assert randomization.paired_p_values(differences, 999, seed=0).tolist() == [1.0, 0.001]


def test_p_values_agree_in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(0).normal(0.05, 1, (30, 3))
    whole = randomization.paired_p_values(differences, 1_000, seed=1)
    monkeypatch.setattr(randomization, "CELLS", 30 * 70)
    assert randomization.paired_p_values(differences, 1_000, seed=1).tolist() == pytest.approx(whole.tolist(), abs=0.05)


@pytest.mark.parametrize("queries", [25, 400])
def test_the_bootstrap_agrees_with_scipy(queries: int) -> None:
    values, _ = paired(2, queries, 0)
    low, high = bootstrap.mean_intervals(values[:, None], 8_000, 0.95, seed=0)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=8_000, method="percentile", rng=1).confidence_interval
    assert (low[0], high[0]) == pytest.approx((theirs.low, theirs.high), abs=0.012)


def test_a_constant_has_an_interval_without_width_and_so_has_one_query() -> None:
    assert [bound.tolist() for bound in bootstrap.mean_intervals(np.full((9, 1), 0.5), 200, 0.9, 0)] == [[0.5], [0.5]]
    assert [bound.tolist() for bound in bootstrap.mean_intervals(np.array([[0.25]]), 200, 0.9, 0)] == [[0.25], [0.25]]


def test_the_bootstrap_bounds_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    values, _ = paired(3, 50, 0)
    monkeypatch.setattr(bootstrap, "CELLS", 120)
    low, high = bootstrap.mean_intervals(values[:, None], 2_001, 0.95, seed=0)
    assert low[0] < values.mean() < high[0]


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([])).tolist() == []


@given(st.lists(st.floats(0.0001, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_lies_between_the_plain_p_value_and_bonferroni(values: list[float]) -> None:
    p_values = np.array(values)
    adjusted = holm(p_values)
    assert (adjusted >= p_values).all()
    assert (adjusted <= np.minimum(1, p_values * len(values)) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(p_values, kind="stable")]) >= 0).all()
