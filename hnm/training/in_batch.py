"""Losses that take other groups' documents for negatives, without those that the batch knows to be right answers.

sentence-transformers leaves out a row's own documents only and leaves the rest to a sampler that keeps duplicates out
of a batch, which would train recipes with other negatives on other batches.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from sentence_transformers.cross_encoder import losses


class MultipleNegativesRankingLoss(losses.MultipleNegativesRankingLoss):
    """The library's, for a model that is `ScoredPairs`."""

    def get_in_batch_negatives(self, anchors: list[Any], candidates: list[list[Any]]) -> Iterator[list[Any]]:  # type: ignore[override]
        """As many as the library draws for each query, or as many as the query with the fewest has left."""
        mask = _drawable(anchors, candidates, self.model.right)  # type: ignore[arg-type]
        if mask is None:
            yield from super().get_in_batch_negatives(anchors, candidates)
            return
        left = int(mask.sum(1).min())
        count = left if self.num_negatives is None else min(left, self.num_negatives)
        if count:
            places = [place for column in candidates for place in column]
            for row in torch.multinomial(mask.float(), count).T:
                yield [places[index] for index in row]


class CachedMultipleNegativesRankingLoss(MultipleNegativesRankingLoss, losses.CachedMultipleNegativesRankingLoss):
    """The same, in mini batches."""


def _drawable(
    groups: Sequence[int], columns: Sequence[Sequence[int]], right: set[tuple[int, int]]
) -> torch.Tensor | None:
    """For each group, which of the flattened candidates may be drawn; None where the library's own rule says it all."""
    places = [place for column in columns for place in column]
    wrong = torch.tensor([[(group, place) not in right for place in places] for group in groups])
    own = torch.eye(len(groups), dtype=torch.bool).repeat(1, len(columns))
    return None if bool((wrong | own).all()) else wrong & ~own
