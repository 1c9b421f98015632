"""The paired randomization test between systems (Smucker, Allan and Carterette, CIKM 2007)."""

from typing import Any

import numpy as np

CELLS = 4_000_000
"""Signs held at once: memory is bounded by this, not by permutations × queries."""

Floats = np.ndarray[Any, np.dtype[np.float64]]


def paired_p_values(differences: Floats, permutations: int, seed: int) -> Floats:
    """Two-sided p-value per column of per-query differences, shape (columns,), in [1 / (permutations + 1), 1].

    `differences`: shape (queries, columns), at least one query. Were two systems the same, each query's difference
    could as well have the other sign; p is the share of random signs under which the mean difference is at least as far
    from zero as the observed one, the observed one counted in (Phipson and Smyth 2010), so that p is never 0.
    """
    random = np.random.default_rng(seed)
    observed = np.abs(differences.sum(axis=0))
    reached = observed - 1e-9 * np.abs(differences).sum(axis=0)  # equal sums may differ in their last bits
    count = np.zeros(differences.shape[1], np.int64)
    step = max(1, CELLS // len(differences))
    for start in range(0, permutations, step):
        rows = min(step, permutations - start)
        signs = 2.0 * random.integers(0, 2, (rows, len(differences)), dtype=np.int8) - 1.0
        count += (np.abs(signs @ differences) >= reached).sum(axis=0)
    p_values: Floats = (1 + count) / (1 + permutations)
    return p_values
