"""Weights between a model's start and its end (WiSE-FT, Wortsman et al., arXiv 2109.01903).

Fine-tuned weights serve the new kind of question, the start's served all others; on the line between the two there is
often a point that keeps both.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

Weights = Mapping[str, torch.Tensor]


def copy_trainable(model: nn.Module) -> Weights:
    """Copies of the weights that training will change. Memory: as much as they take."""
    return {name: weight.detach().clone() for name, weight in model.named_parameters() if weight.requires_grad}


@torch.no_grad()
def mix(model: nn.Module, start: Weights, share: float) -> None:
    """Set the model's weights to `share` * start + (1 - `share`) * its own."""
    for name, weight in model.named_parameters():
        if name in start:
            weight.lerp_(start[name].to(weight.device), share)


@torch.no_grad()
def restore(model: nn.Module, weights: Weights) -> None:
    """Set the named weights back."""
    for name, weight in model.named_parameters():
        if name in weights:
            weight.copy_(weights[name])


@contextmanager
def mixed(model: nn.Module, start: Weights, share: float) -> Iterator[None]:
    """The model with mixed weights, for a while."""
    if not share:
        yield
        return
    trained = copy_trainable(model)
    mix(model, start, share)
    try:
        yield
    finally:
        restore(model, trained)
