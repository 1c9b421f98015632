"""The examples: what the losses read, and that the listwise one is softmax cross-entropy over the group."""

from pathlib import Path

import pyarrow as pa
import pytest
import torch

from hnm.context import Settings
from hnm.models.cross_encoder import open_cross_encoder
from hnm.training.examples import write_examples
from hnm.training.groups import Group


def group(number: int, negatives: int) -> Group:
    names = tuple(f"n{number}x{i}" for i in range(negatives))
    return Group(f"q{number}", f"p{number}", f"query {number}", f"good {number}", names, names, ("random",) * negatives)


GROUPS = [group(1, 4), group(2, 4), group(3, 2), group(4, 1)]


def test_the_listwise_loss_is_softmax_cross_entropy_in_one_forward_pass(
    tmp_path: Path, tiny_cross_encoder: Path
) -> None:
    from sentence_transformers.cross_encoder.losses import ListNetLoss

    model = open_cross_encoder(tiny_cross_encoder, Settings(precision="fp32"), 32)
    model.eval()
    examples = write_examples(GROUPS, "cross_entropy", tmp_path / "examples.arrow")
    rows = pa.ipc.open_stream(examples.path).read_all().to_pylist()
    passes = []
    model.register_forward_hook(lambda *_: passes.append(1))
    labels = [torch.tensor(row["labels"]) for row in rows]
    loss = ListNetLoss(model, mini_batch_size=-1)([[r["query"] for r in rows], [r["documents"] for r in rows]], labels)
    assert len(passes) == 1
    expected = []
    for row in rows:
        logits = model.predict([(row["query"], document) for document in row["documents"]], convert_to_tensor=True)
        expected.append(torch.nn.functional.cross_entropy(logits[None], torch.tensor([0])))
    assert loss.item() == pytest.approx(torch.stack(expected).mean().item(), rel=1e-5)
    assert loss.item() > 0.5


def test_the_columns_that_the_collator_sees(tmp_path: Path) -> None:
    listwise = write_examples(GROUPS, "cross_entropy", tmp_path / "a")
    pairwise = write_examples(GROUPS, "bce", tmp_path / "b")
    assert (listwise.rows, pairwise.rows) == (4, 15)
    pairs = pa.ipc.open_stream(pairwise.path).read_all()
    assert pairs.schema.names == ["query", "document", "label"]
    assert pairs.slice(0, 2).to_pylist() == [
        {"query": "query 1", "document": "good 1", "label": 1.0},
        {"query": "query 1", "document": "n1x0", "label": 0.0},
    ]


def test_the_digest_stands_for_ids_texts_and_order_whatever_the_loss(tmp_path: Path) -> None:
    def digest(groups: list[Group], loss: str = "bce") -> str:
        return write_examples(groups, loss, tmp_path / "x").digest  # type: ignore[arg-type]  # a Literal

    assert digest(GROUPS) == digest(list(GROUPS), "cross_entropy")
    assert len({digest(GROUPS), digest(GROUPS[::-1]), digest(GROUPS[:3]), digest([])}) == 4


def test_many_groups_and_none(tmp_path: Path) -> None:
    assert write_examples((group(i, 1) for i in range(1_300)), "bce", tmp_path / "many").rows == 2_600
    assert write_examples([], "bce", tmp_path / "none").rows == 0
