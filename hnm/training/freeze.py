"""Leave the lowest parts of a model as they are: no gradients, no optimizer state, no backward pass through them."""

from typing import TYPE_CHECKING

from torch import nn

from hnm.errors import StageError

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder


def freeze(model: "CrossEncoder", layers: int) -> int:
    """Freeze the embeddings and the lowest `layers` encoder layers; gives the number of frozen weights.

    The embeddings always go with the layers: were they trained, gradients would have to pass through every layer.
    Raises StageError when the model has too few layers, or none that can be told.
    """
    transformer = model.transformers_model
    base = getattr(transformer, "base_model", None)
    if base is None:
        raise StageError("freeze: the model has no encoder whose parts could be told apart")
    parts: list[nn.Module] = [getattr(base, "embeddings", None) or base.get_input_embeddings()]
    if layers:
        parts += _layers(base)[:layers]
    if len(parts) != 1 + layers:
        raise StageError(f"freeze: the model has no {layers} layers", why=f"it has {len(parts) - 1}")
    weights = [weight for part in parts for weight in part.parameters()]
    for weight in weights:
        weight.requires_grad = False
    return sum(weight.numel() for weight in weights)


def _layers(base: nn.Module) -> list[nn.Module]:
    """The encoder's layers from the lowest on: the first list of modules that is as long as the configuration says."""
    number = getattr(base.config, "num_hidden_layers", 0)
    stacks = (module for module in base.modules() if isinstance(module, nn.ModuleList) and len(module) == number)
    return list(next(stacks, []))
