"""Means over queries with their bootstrap intervals, as rows of a table."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from hnm.evaluation.bootstrap import mean_intervals

Floats = np.ndarray[Any, np.dtype[np.float64]]
Row = dict[str, Any]


class Drawing(Protocol):
    """How intervals are drawn: bootstrap draws, confidence of the interval, seed."""

    @property
    def samples(self) -> int: ...

    @property
    def confidence(self) -> float: ...

    @property
    def seed(self) -> int: ...


def mean_rows(names: Sequence[Mapping[str, Any]], values: Floats, drawing: Drawing) -> list[Row]:
    """One row per column of `values`, shape (queries, columns): its name, queries, value, ci_low, ci_high."""
    means = [column.mean() for column in values.T]  # a system's mean to the last bit, whatever stands beside it
    low, high = mean_intervals(values, drawing.samples, drawing.confidence, drawing.seed)
    return [
        {**name, "queries": len(values), "value": float(mean), "ci_low": float(least), "ci_high": float(most)}
        for name, mean, least, most in zip(names, means, low, high, strict=True)
    ]
