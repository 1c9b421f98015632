"""Holm's step-down correction for several comparisons (Holm, Scandinavian Journal of Statistics 1979)."""

from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]


def holm(p_values: Floats) -> Floats:
    """Adjusted p-values in the same order: rejecting those up to alpha keeps the family-wise error at alpha."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * p_values[order]))
    return adjusted
