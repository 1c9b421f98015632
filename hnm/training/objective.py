"""What is trained: a weighted sum of losses over the scores of one forward pass, watched class by class."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from sentence_transformers import CrossEncoder
from sentence_transformers.util import batch_to_device
from torch import Tensor, nn

from hnm.training.batch import IN_BATCH, Batch
from hnm.training.losses import KINDS, target_of
from hnm.training.recipe import LossParams
from hnm.training.scored_pairs import Pair, ScoredPairs
from hnm.training.watch import StepWatch


class Objective(nn.Module):
    """The loss of some groups. `watch` collects what the step's row of the log says about it."""

    def __init__(self, model: CrossEncoder, settings: Sequence[LossParams], pairs_at_once: int, weighted: bool) -> None:
        """`pairs_at_once`: of the cached loss. `weighted`: multiply each group's loss by the group's weight."""
        super().__init__()
        self.model = model
        self.watch = StepWatch()
        self._settings = settings
        self._weighted = weighted
        self._before = not any(entry.traits.alone for entry in settings)
        self._draws = any(entry.traits.in_batch for entry in settings)
        self._scored = ScoredPairs(model.device)
        self._parts = nn.ModuleList(KINDS[entry.loss].make(model, entry, pairs_at_once) for entry in settings)
        for part in self._parts:
            part.model = self._scored

    def forward(self, groups: Sequence[Mapping[str, Any]]) -> Tensor:
        """The loss of rows of the file of examples, mean over groups (or over pairs, as each loss has it)."""
        batch = Batch.of(groups)
        self.watch.saw(groups)
        right = batch.right() if self._draws else set()
        self._scored.hold(batch.pairs(), lambda pairs: self._scores(batch, pairs), now=self._before, right=right)
        total = torch.zeros((), device=self.model.device)
        for part, settings in zip(self._parts, self._settings, strict=True):
            value = self._value(part, settings, batch)
            self.watch.loss(settings.loss, value)
            total = total + settings.weight * value
        return total

    def _value(self, part: nn.Module, settings: LossParams, batch: Batch) -> Tensor:
        every = list(range(len(batch.queries)))
        if not self._weighted:
            return self._of_groups(part, settings, batch, every)
        values = [batch.weights[group] * self._of_groups(part, settings, batch, [group]) for group in every]
        return torch.stack(values).mean()

    def _of_groups(self, part: nn.Module, settings: LossParams, batch: Batch, groups: Sequence[int]) -> Tensor:
        kind = KINDS[settings.loss]
        labels = batch.labels(kind.form, target_of(kind, settings), groups)
        if settings.traits.teaches:
            labels = labels * settings.teacher_scale
        if isinstance(labels, Tensor):
            labels = labels.to(self.model.device)
        value: Tensor = part(batch.inputs(kind.form, groups), labels)
        return value

    def _scores(self, batch: Batch, pairs: Sequence[Pair]) -> Tensor:
        """The logits of pairs in one forward pass, float32, one per pair."""
        texts = [(batch.queries[group], batch.documents[place]) for group, place in pairs]
        features = batch_to_device(self.model.preprocess(texts), self.model.device)
        scores: Tensor = self.model(features)["scores"].view(-1).float()
        own = [set(places) for places in batch.places]
        self.watch.scores([batch.classes[place] if place in own[group] else IN_BATCH for group, place in pairs], scores)
        return scores
