"""How long a training runs and how its learning rate goes."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch.optim.lr_scheduler import LambdaLR

LrScheduler = Literal["linear", "cosine", "constant"]

TRAINER_NAMES: dict[LrScheduler, str] = {
    "linear": "linear",
    "cosine": "cosine",
    "constant": "constant_with_warmup",
}
"""What transformers calls them."""


@dataclass(frozen=True)
class Schedule:
    """How to train. `max_steps` overrides `epochs`; `max_minutes` ends either early.

    `batch_size`: groups per optimizer step, of which `at_once` go through the model together; the gradients of the
    parts are added up. `whole`: give the loss the whole batch, because it divides it itself.
    """

    batch_size: int
    at_once: int
    whole: bool
    epochs: int
    max_steps: int | None
    max_minutes: float | None
    learning_rate: float
    lr_scheduler: LrScheduler
    warmup_ratio: float
    weight_decay: float
    seed: int
    checkpoint_steps: int
    gradient_checkpointing: bool = False

    @property
    def groups_per_loss(self) -> int:
        """Groups that the loss is given at once."""
        return self.batch_size if self.whole else self.at_once

    def steps(self, examples: int) -> int:
        """Optimizer steps for so many examples, if the minutes last."""
        return self.max_steps or self.epochs * math.ceil(examples / self.batch_size)

    def warmup(self, examples: int) -> float:
        """Share of the steps in which the learning rate rises from 0. A lone step has none: it would change nothing."""
        return self.warmup_ratio if self.steps(examples) > 1 else 0.0


class Clock:
    """Seconds spent in a training; those before a kill count too."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def start(self, earlier: float) -> None:
        """Begin, or go on after `earlier` seconds."""
        self._started = time.monotonic() - earlier

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started


def follow(scheduler: LambdaLR, steps: int, share_done: Callable[[], float]) -> None:
    """Let the learning rate go by the share of the budget that is used, instead of by the count of steps.

    Nobody knows beforehand how many steps fit into a budget of minutes. The whole curve, with its warm-up and its
    decay, is gone through all the same: at half of the time it stands where it would stand at half of the steps.
    """

    def by_share(curve: Callable[[int], float]) -> Callable[[int], float]:
        return lambda step: curve(max(step, round(steps * share_done())))

    scheduler.lr_lambdas = [by_share(curve) for curve in scheduler.lr_lambdas]
