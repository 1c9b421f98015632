"""Paired tests between systems that were measured on the same queries, as rows of a table."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hnm.evaluation.holm import holm
from hnm.evaluation.randomization import paired_p_values

Floats = np.ndarray[Any, np.dtype[np.float64]]
Row = dict[str, Any]


def paired_tests(
    rows: Sequence[Row], name: str, values: Floats, pairs: Sequence[tuple[int, int]], permutations: int, seed: int
) -> list[Row]:
    """For each pair (system, baseline): the system's row with `baseline`, `difference`, `p_value` and `p_holm`.

    `rows`: of the systems' means, with `value`; `name`: the key by which a row names its system. `values`: shape
    (queries, systems). The difference is positive where the system is better than the baseline; the p-value is that of
    the paired randomization test; Holm's correction is over the pairs given.
    """
    if not pairs:
        return []
    systems, baselines = (list(places) for places in zip(*pairs, strict=True))
    p_values = paired_p_values(values[:, systems] - values[:, baselines], permutations, seed)
    return [
        {
            **rows[system],
            "baseline": rows[baseline][name],
            "difference": rows[system]["value"] - rows[baseline]["value"],
            "p_value": float(p_value),
            "p_holm": float(p_holm),
        }
        for (system, baseline), p_value, p_holm in zip(pairs, p_values, holm(p_values), strict=True)
    ]
