"""What one optimizer step did, class by class: positives, and the negatives of each strategy.

The gradient of the loss with respect to a document's score says how strongly, and in which direction, the step moves
that score. Summed over the documents of a class and averaged over groups it says which negatives teach: easy ones fade
to nothing as training goes on, and a class whose share stays high is one that the model cannot, or should not, learn.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor


class StepWatch:
    """Collects over the parts of a batch; `row` gives the figures of the step and begins the next one."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.groups: list[Mapping[str, Any]] = []
        self._losses: dict[str, list[float]] = defaultdict(list)
        self._scores: dict[str, list[float]] = defaultdict(list)
        self._gradients: dict[str, float] = defaultdict(float)

    def saw(self, groups: Sequence[Mapping[str, Any]]) -> None:
        """The groups of a part of the step's batch."""
        self.groups += [
            {name: group[name] for name in ("query_id", "positive_id", "negative_ids", "strategies")}
            for group in groups
        ]

    def loss(self, name: str, value: Tensor) -> None:
        """A part's loss, without its weight."""
        self._losses[name].append(value.item())

    def scores(self, classes: Sequence[str], scores: Tensor) -> None:
        """Scores and, when they are gone back through, the gradient with respect to each."""
        for name, score in zip(classes, scores.tolist(), strict=True):
            self._scores[name].append(score)
        if scores.requires_grad:
            scores.register_hook(  # type: ignore[no-untyped-call]  # untyped there
                lambda gradient: self._add(classes, gradient)
            )

    def _add(self, classes: Sequence[str], gradient: Tensor) -> None:
        for name, value in zip(classes, gradient.abs().tolist(), strict=True):
            self._gradients[name] += value

    def row(self) -> dict[str, float]:
        """`losses/NAME`: mean over parts. `scores/CLASS`: mean logit. `gradients/CLASS`: sum of |dloss/dscore|."""
        row = {f"losses/{name}": _mean(values) for name, values in sorted(self._losses.items())}
        row |= {f"scores/{name}": _mean(values) for name, values in sorted(self._scores.items())}
        row |= {f"gradients/{name}": value for name, value in sorted(self._gradients.items())}
        self._clear()
        return row


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
