"""The losses by name: what each reads of a batch, and sentence-transformers' module for it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from sentence_transformers import CrossEncoder
from sentence_transformers.cross_encoder import losses
from torch import nn

from hnm.training import in_batch
from hnm.training.batch import Form, Target
from hnm.training.margin import MarginLoss
from hnm.training.recipe import LossName, LossParams

Make = Callable[[CrossEncoder, LossParams, int], nn.Module]


@dataclass(frozen=True)
class Kind:
    """`form` and `target`: what the loss reads (see `Batch`). `make`: from model, settings and pairs at once."""

    form: Form
    target: Target
    make: Make


def target_of(kind: Kind, settings: LossParams) -> Target:
    """What the loss learns: its kind's target, or the teacher's scores where the settings say so."""
    return "teacher" if settings.needs_teacher else kind.target


def _bce(model: CrossEncoder, settings: LossParams, _: int) -> nn.Module:
    return losses.BinaryCrossEntropyLoss(model, pos_weight=torch.tensor(settings.pos_weight, device=model.device))


def _multiple_negatives(model: CrossEncoder, settings: LossParams, _: int) -> nn.Module:
    loss = in_batch.MultipleNegativesRankingLoss(model, settings.in_batch_negatives)
    loss.scale = settings.scale  # type: ignore[assignment]  # it multiplies, and may be any number
    return loss


def _cached_multiple_negatives(model: CrossEncoder, settings: LossParams, at_once: int) -> nn.Module:
    return in_batch.CachedMultipleNegativesRankingLoss(
        model, settings.in_batch_negatives, settings.scale, mini_batch_size=at_once
    )


def _position_aware_list_mle(model: CrossEncoder, _: LossParams, __: int) -> nn.Module:
    return losses.PListMLELoss(model, losses.PListMLELambdaWeight(), mini_batch_size=-1, respect_input_order=False)


# To listwise losses, a mini batch size of -1 means all pairs at once.
KINDS: dict[LossName, Kind] = {
    "cross_entropy": Kind("lists", "one_hot", lambda model, *_: losses.ListNetLoss(model, mini_batch_size=-1)),
    "bce": Kind("pairs", "judged", _bce),
    "multiple_negatives_ranking": Kind("columns", "judged", _multiple_negatives),
    "cached_multiple_negatives_ranking": Kind("columns", "judged", _cached_multiple_negatives),
    "margin": Kind("triplets", "judged", lambda model, settings, _: MarginLoss(model, settings.margin)),
    "lambda": Kind(
        "lists", "judged", lambda model, settings, _: losses.LambdaLoss(model, k=settings.k, mini_batch_size=-1)
    ),
    "list_net": Kind("lists", "judged", lambda model, *_: losses.ListNetLoss(model, mini_batch_size=-1)),
    "rank_net": Kind(
        "lists", "judged", lambda model, settings, _: losses.RankNetLoss(model, k=settings.k, mini_batch_size=-1)
    ),
    "plist_mle": Kind("lists", "judged", _position_aware_list_mle),
    "margin_mse": Kind("triplets", "teacher", lambda model, *_: losses.MarginMSELoss(model)),
    "mse": Kind("pairs", "teacher", lambda model, *_: losses.MSELoss(model)),
}
