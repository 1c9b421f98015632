"""One forward pass for all losses.

sentence-transformers' losses call the model themselves, each on its own, some once per column. They are given this in
its place: it has scored the batch's pairs already and looks them up. What was not scored, such as a query with another
group's document, or everything when no pass was made before, is scored when a loss asks for it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Pair = tuple[int, int]
Score = Callable[[Sequence[Pair]], Tensor]


class ScoredPairs(nn.Module):
    """Stands for a cross-encoder with one output in a loss that reads (group, place) for (query, document)."""

    num_labels = 1

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device
        self._known: dict[Pair, int] = {}
        self._scores = torch.empty(0)
        self._score: Score | None = None
        self.right: set[Pair] = set()

    def hold(self, pairs: Sequence[Pair], score: Score, *, now: bool, right: set[Pair]) -> None:
        """Take up a batch: score `pairs` by `score`, `now` or when they are asked for. `right`: see `Batch.right`."""
        self._score, self.right = score, right
        self._known = {pair: index for index, pair in enumerate(pairs)} if now else {}
        self._scores = score(pairs) if now else torch.empty(0)

    def preprocess(self, pairs: Sequence[Pair], **_: Any) -> dict[str, Tensor]:
        """What the losses hand to `forward`."""
        return {"pairs": torch.tensor(pairs)}

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """`scores`: one logit per pair, float32, shape (pairs, 1); higher is better."""
        pairs = [(int(group), int(place)) for group, place in features["pairs"].tolist()]
        if all(pair in self._known for pair in pairs):
            return {"scores": self._scores[[self._known[pair] for pair in pairs]].unsqueeze(1)}
        if self._score is None:
            raise ValueError("no batch is held")
        unknown = [pair for pair in dict.fromkeys(pairs) if pair not in self._known]
        new = dict(zip(unknown, self._score(unknown), strict=True))
        scores = [new[pair] if pair in new else self._scores[self._known[pair]] for pair in pairs]
        return {"scores": torch.stack(scores).unsqueeze(1)}
