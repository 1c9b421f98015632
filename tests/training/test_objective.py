"""Losses over one forward pass: equal to sentence-transformers' own on texts, and watched class by class."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import CrossEncoder
from sentence_transformers.cross_encoder import losses

from hnm.context import Settings
from hnm.models.cross_encoder import open_cross_encoder
from hnm.training.batch import Batch
from hnm.training.groups import Group
from hnm.training.losses import KINDS
from hnm.training.objective import Objective
from hnm.training.recipe import LOSSES, LossName, LossParams


def group(number: int, negatives: int, weight: float = 1.0) -> dict[str, Any]:
    names = tuple(f"n{number} x{i}" for i in range(negatives))
    strategies = tuple("paper" if i % 2 == 0 else "random" for i in range(negatives))
    teacher = (2.0, *(0.5 * i - number for i in range(negatives)))
    return asdict(
        Group(
            f"q{number}", f"p{number}", f"query {number}", f"good {number}", names, names, strategies, teacher, weight
        )
    )


EVEN = [group(1, 3), group(2, 3), group(3, 3)]
UNEVEN = [group(1, 4), group(2, 2), group(3, 1)]


@pytest.fixture(scope="module")
def model(tiny_cross_encoder: Path) -> CrossEncoder:
    model = open_cross_encoder(tiny_cross_encoder, Settings(precision="fp32"), 32)
    with torch.no_grad():
        model[0].model.classifier.weight.mul_(30)  # scores that differ, so that losses do
    return model.eval()


def value(model: CrossEncoder, groups: list[dict[str, Any]], *names: str, **settings: Any) -> torch.Tensor:
    torch.manual_seed(0)
    entries = [LossParams(loss=name, **settings) for name in names]
    result: torch.Tensor = Objective(model, entries, 4, weighted=False)(groups)
    return result


def lists(groups: list[dict[str, Any]]) -> list[Any]:
    return [[g["query"] for g in groups], [[g["positive"], *g["negatives"]] for g in groups]]


def pairs(groups: list[dict[str, Any]]) -> list[Any]:
    every = [(g["query"], text) for g in groups for text in (g["positive"], *g["negatives"])]
    return [list(column) for column in zip(*every, strict=True)]


def columns(groups: list[dict[str, Any]]) -> list[Any]:
    queries, documents = lists(groups)
    return [queries, *(list(column) for column in zip(*documents, strict=True))]


def judged(groups: list[dict[str, Any]]) -> list[torch.Tensor]:
    return [torch.tensor([1.0] + [0.0] * len(g["negatives"])) for g in groups]


def taught(groups: list[dict[str, Any]]) -> list[torch.Tensor]:
    return [torch.tensor(g["teacher"]) for g in groups]


def test_every_loss_has_a_kind() -> None:
    assert KINDS.keys() == LOSSES.keys()


@pytest.mark.parametrize("groups", [EVEN, UNEVEN, UNEVEN[2:]], ids=["even", "uneven", "one"])
def test_losses_equal_the_librarys_own_on_texts(model: CrossEncoder, groups: list[dict[str, Any]]) -> None:
    flat = torch.cat(judged(groups))
    weight = torch.tensor(3.0)
    plist = losses.PListMLELoss(model, losses.PListMLELambdaWeight(), respect_input_order=False)
    expected = {
        "bce": losses.BinaryCrossEntropyLoss(model)(pairs(groups), flat),
        "list_net": losses.ListNetLoss(model)(lists(groups), judged(groups)),
        "lambda": losses.LambdaLoss(model)(lists(groups), judged(groups)),
        "rank_net": losses.RankNetLoss(model)(lists(groups), judged(groups)),
        "plist_mle": plist(lists(groups), judged(groups)),
        "mse": losses.MSELoss(model)(pairs(groups), torch.cat(taught(groups))),
    }
    for name, right in expected.items():
        assert value(model, groups, name).item() == pytest.approx(right.item(), rel=1e-4), name
    right = losses.BinaryCrossEntropyLoss(model, pos_weight=weight)(pairs(groups), flat)
    assert value(model, groups, "bce", pos_weight=3).item() == pytest.approx(right.item(), rel=1e-4)
    right = losses.RankNetLoss(model)(lists(groups), taught(groups))
    assert value(model, groups, "rank_net", labels="teacher").item() == pytest.approx(right.item(), rel=1e-4)


@pytest.mark.parametrize("groups", [EVEN, UNEVEN], ids=["even", "uneven"])
def test_cross_entropy_is_that_of_the_positive_within_its_group(
    model: CrossEncoder, groups: list[dict[str, Any]]
) -> None:
    right = []
    for one in groups:
        logits = model.predict(
            [(one["query"], d) for d in (one["positive"], *one["negatives"])], convert_to_tensor=True
        )
        right.append(torch.nn.functional.cross_entropy(logits[None], torch.tensor([0])))
    assert value(model, groups, "cross_entropy").item() == pytest.approx(torch.stack(right).mean().item(), rel=1e-5)


def test_losses_over_columns_equal_the_librarys_own_on_texts(model: CrossEncoder) -> None:
    torch.manual_seed(0)
    right = losses.MultipleNegativesRankingLoss(model)(columns(EVEN), torch.empty(0))
    assert value(model, EVEN, "multiple_negatives_ranking").item() == pytest.approx(right.item(), rel=1e-4)
    assert value(model, EVEN, "cached_multiple_negatives_ranking").item() == pytest.approx(right.item(), rel=1e-4)
    right = losses.MarginMSELoss(model)(columns(EVEN), torch.stack(taught(EVEN)))
    assert value(model, EVEN, "margin_mse").item() == pytest.approx(right.item(), rel=1e-4)
    assert value(model, UNEVEN, "multiple_negatives_ranking").isfinite()


def test_the_margin_loss_is_torchs_over_triplets(model: CrossEncoder) -> None:
    scores = [model.predict([(g["query"], d) for d in (g["positive"], *g["negatives"])]) for g in UNEVEN]
    positives = torch.tensor([own[0] for own in scores for _ in own[1:]])
    negatives = torch.tensor([n for own in scores for n in own[1:]])
    right = torch.nn.functional.margin_ranking_loss(positives, negatives, torch.ones(len(positives)), margin=0.3)
    assert value(model, UNEVEN, "margin", margin=0.3).item() == pytest.approx(right.item(), rel=1e-4)


def test_the_teachers_scale(model: CrossEncoder) -> None:
    right = losses.MSELoss(model)(pairs(EVEN), 10 * torch.cat(taught(EVEN)))
    assert value(model, EVEN, "mse", teacher_scale=10).item() == pytest.approx(right.item(), rel=1e-4)


def gradients(model: CrossEncoder, *names: str, groups: list[dict[str, Any]] = EVEN) -> list[torch.Tensor]:
    model.zero_grad()
    value(model, groups, *names).backward()
    return [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]


def test_the_cached_form_has_the_same_gradients(model: CrossEncoder) -> None:
    plain = gradients(model, "multiple_negatives_ranking")
    cached = gradients(model, "cached_multiple_negatives_ranking")
    assert len(plain) == len(cached) > 0
    for one, other in zip(plain, cached, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_a_sum_of_losses_is_their_weighted_sum_from_one_forward_pass(model: CrossEncoder) -> None:
    entries = [
        LossParams(loss="cross_entropy", weight=2),
        LossParams(loss="bce", weight=0.5),
        LossParams(loss="margin_mse"),
    ]
    passes: list[int] = []
    hook = model.register_forward_hook(lambda *_: passes.append(1))
    objective = Objective(model, entries, 4, weighted=False)
    total = objective(UNEVEN).item()
    hook.remove()
    assert len(passes) == 1
    parts = {name: value(model, UNEVEN, name).item() for name in ("cross_entropy", "bce", "margin_mse")}
    assert total == pytest.approx(2 * parts["cross_entropy"] + 0.5 * parts["bce"] + parts["margin_mse"], rel=1e-5)
    row = objective.watch.row()
    assert {name: row[f"losses/{name}"] for name in parts} == pytest.approx(parts)


def test_weights_multiply_each_groups_loss(model: CrossEncoder) -> None:
    groups = [group(1, 3, weight=0.5), group(2, 2, weight=0.0), group(3, 1, weight=2.0)]
    entry = [LossParams(loss="cross_entropy")]
    alone = [value(model, [one], "cross_entropy").item() for one in groups]
    weighted = Objective(model, entry, 4, weighted=True)(groups).item()
    assert weighted == pytest.approx((0.5 * alone[0] + 2.0 * alone[2]) / 3, rel=1e-5)
    even = Objective(model, entry, 4, weighted=True)(EVEN).item()
    assert even == pytest.approx(value(model, EVEN, "cross_entropy").item(), rel=1e-5)


def test_classes_are_watched(model: CrossEncoder) -> None:
    """In softmax cross-entropy, all that pushes the negatives down is what pulls the positive up."""
    objective = Objective(model, [LossParams(loss="cross_entropy")], 4, weighted=False)
    objective(UNEVEN).backward()
    row = objective.watch.row()
    assert {name.partition("/")[2] for name in row if name.startswith("scores/")} == {"positive", "paper", "random"}
    pushed = row["gradients/paper"] + row["gradients/random"]
    assert pushed == pytest.approx(row["gradients/positive"], rel=1e-4)
    positives = model.predict([(g["query"], g["positive"]) for g in UNEVEN])
    assert row["scores/positive"] == pytest.approx(positives.mean(), rel=1e-4)
    assert objective.watch.row() == {}


@pytest.mark.parametrize("name", ["multiple_negatives_ranking", "cached_multiple_negatives_ranking"])
def test_in_batch_negatives_are_a_class_of_their_own(model: CrossEncoder, name: str) -> None:
    objective = Objective(model, [LossParams(loss=name)], 4, weighted=False)
    objective(EVEN).backward()
    row = objective.watch.row()
    assert {"scores/in_batch", "gradients/in_batch", "gradients/paper"} <= row.keys()


def test_one_pair_of_texts_in_two_groups_is_two_pairs(model: CrossEncoder) -> None:
    twice = [group(1, 2), {**group(1, 2), "positive": "other"}]
    right = losses.ListNetLoss(model)(lists(twice), judged(twice))
    assert value(model, twice, "list_net").item() == pytest.approx(right.item(), rel=1e-4)


@pytest.mark.parametrize("loss", ["multiple_negatives_ranking", "cached_multiple_negatives_ranking"])
def test_what_answers_a_query_is_not_drawn_against_it(model: CrossEncoder, loss: LossName) -> None:
    # q1 stands twice, with the answers a and b; to q2, a is a negative, and to q3 it is right.
    rows = [("q1", "a", "n1"), ("q1", "b", "n2"), ("q2", "c", "a"), ("q3", "a", "n3")]
    groups = [group(1, 1) | {"query": q, "positive": p, "negatives": [n]} for q, p, n in rows]
    drawn: set[tuple[str, str]] = set()
    objective = Objective(model, [LossParams(loss=loss, in_batch_negatives=2)], 4, weighted=False)
    part = objective._parts[0]
    batch = Batch.of(groups)
    objective(groups)
    for _ in range(50):
        queries, *columns = batch.inputs("columns", range(4))
        for column in part.get_in_batch_negatives(queries, columns):
            drawn |= {(batch.queries[number], batch.documents[place]) for number, place in enumerate(column)}
    left = {"q1": ("c", "n1", "n2", "n3"), "q2": ("a", "b", "n1", "n2", "n3"), "q3": ("b", "c", "n1", "n2")}
    assert drawn == {(query, text) for query, texts in left.items() for text in texts}


def test_a_query_that_knows_every_answer_draws_none(model: CrossEncoder) -> None:
    groups = [group(1, 1) | {"query": "q1", "positive": text, "negatives": ["n"]} for text in ("a", "b")]
    found = value(model, groups, "multiple_negatives_ranking")
    assert torch.isfinite(found)
