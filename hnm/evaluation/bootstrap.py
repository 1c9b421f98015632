"""Percentile bootstrap intervals of means over queries (Efron and Tibshirani 1993, chapter 13)."""

from typing import Any

import numpy as np

CELLS = 4_000_000
"""Resampled values held at once: memory is bounded by this, not by samples × queries."""

Floats = np.ndarray[Any, np.dtype[np.float64]]


def mean_intervals(values: Floats, samples: int, confidence: float, seed: int) -> tuple[Floats, Floats]:
    """Lower and upper bound of each column's mean, shape (columns,) each.

    `values`: shape (queries, columns), at least one query. Queries are drawn with replacement, the same draw for every
    column; the bounds are the (1 ± confidence) / 2 quantiles of the means of `samples` draws.
    """
    queries = len(values)
    random = np.random.default_rng(seed)
    means = np.empty((samples, values.shape[1]))
    step = max(1, CELLS // queries)
    for start in range(0, samples, step):
        rows = min(step, samples - start)
        drawn = random.integers(0, queries, (rows, queries)) + queries * np.arange(rows)[:, None]
        times_drawn = np.bincount(drawn.ravel(), minlength=rows * queries).reshape(rows, queries)
        means[start : start + rows] = times_drawn @ values / queries
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return low, high
