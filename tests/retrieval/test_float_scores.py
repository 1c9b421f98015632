"""The best of float scores, against plain sorting."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hnm.retrieval import float_scores, topk

SCORES = st.lists(st.sampled_from([-1.5, 0.0, 0.25, 0.5]) | st.floats(0, 100, width=32), max_size=30)


@given(SCORES, st.integers(1, 40))
def test_the_best_above_zero_is_sorting_what_is_above_zero(scores: list[float], k: int) -> None:
    keys = float_scores.best_above_zero(np.array(scores, np.float32), k)
    above = [(score, place) for place, score in enumerate(scores) if score > 0]
    found = zip(float_scores.as_float(topk.scores(keys)).tolist(), topk.ordinals(keys).tolist(), strict=True)
    assert list(found) == sorted(above, key=lambda pair: (-pair[0], pair[1]))[:k]
