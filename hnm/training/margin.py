"""The margin loss of triplets, which sentence-transformers has for bi-encoders only."""

from typing import Any

from torch import Tensor, nn


class MarginLoss(nn.Module):
    """mean(max(0, margin - (score of the positive - score of the negative))) over triplets.

    Called like a loss of sentence-transformers, on queries, positives and negatives.
    """

    def __init__(self, model: nn.Module, margin: float) -> None:
        super().__init__()
        self.model = model
        self._margin = margin

    def forward(self, inputs: list[list[Any]], labels: Tensor | None = None) -> Tensor:
        queries, positives, negatives = inputs
        leads = self._scores(queries, positives) - self._scores(queries, negatives)
        return nn.functional.relu(self._margin - leads).mean()

    def _scores(self, queries: list[Any], documents: list[Any]) -> Tensor:
        features = self.model.preprocess(list(zip(queries, documents, strict=True)))  # type: ignore[operator]  # a method of every cross-encoder
        scores: Tensor = self.model(features)["scores"]
        return scores.view(-1)
