"""Loading cross-encoders from wherever they come, and scoring pairs."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from hnm.context import Settings
from hnm.errors import ModelError
from hnm.models.cross_encoder import load_cross_encoder, open_cross_encoder, score_pairs

SETTINGS = Settings(device="cpu", cores=1, precision="fp32")
PAIRS = [("a1", "a1 b2"), ("a1", ""), ("", ""), ("ü", "日本"), ("a1", "b " * 500)]


def changed(folder: Path, tmp_path: Path, **values: object) -> Path:
    """A copy of a model's folder with other values in its config."""
    copy = tmp_path / "changed"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | values))
    return copy


def test_scores_are_logits_in_the_order_of_the_pairs(tiny_cross_encoder: Path) -> None:
    model = open_cross_encoder(tiny_cross_encoder, SETTINGS, 32)
    scores = score_pairs(model, PAIRS, SETTINGS, 2)
    assert (scores.dtype, scores.shape) == (np.float32, (5,))
    assert score_pairs(model, PAIRS[::-1], SETTINGS, 5)[::-1] == pytest.approx(scores, abs=1e-6)
    assert score_pairs(model, [], SETTINGS, 2).shape == (0,)
    assert scores.min() < 0 or scores.max() > 1 or len(set(scores.round(6))) > 1


def test_a_relative_folder_is_looked_up_from_the_root(tiny_cross_encoder: Path) -> None:
    model = load_cross_encoder(tiny_cross_encoder.name, tiny_cross_encoder.parent, SETTINGS, 32)
    assert model.max_seq_length == 32


def test_bf16_logits_do_not_stick_to_a_grid(tiny_cross_encoder: Path) -> None:
    settings = Settings(device="cpu", cores=1, precision="bf16")
    model = open_cross_encoder(tiny_cross_encoder, settings, 32)
    scores = score_pairs(model, [("a1", f"b{i} c{i}") for i in range(40)], settings, 8)
    assert len(set(scores.tolist())) > 36
    exact = score_pairs(model, [("a1", f"b{i} c{i}") for i in range(40)], SETTINGS, 8)
    assert scores == pytest.approx(exact, abs=0.02)


def test_a_fresh_head_needs_a_seed_and_depends_on_nothing_else(tiny_backbone: Path) -> None:
    import torch

    with pytest.raises(ModelError, match="without a trained head"):
        open_cross_encoder(tiny_backbone, SETTINGS, 32)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one, two, three = (
        score_pairs(open_cross_encoder(tiny_backbone, SETTINGS, 32, s), PAIRS, SETTINGS, 8) for s in (7, 7, 8)
    )
    assert torch.equal(before, torch.random.get_rng_state())
    assert one.tolist() == two.tolist()
    assert one.tolist() != three.tolist()


def test_a_bundled_bi_encoder_gets_a_head() -> None:
    model = load_cross_encoder("all-MiniLM-L6-v2", Path(), SETTINGS, 64, head_seed=0)
    assert np.isfinite(score_pairs(model, PAIRS[:2], SETTINGS, 2)).all()


def test_loading_is_quiet(tiny_backbone: Path, capfd: pytest.CaptureFixture[str]) -> None:
    open_cross_encoder(tiny_backbone, SETTINGS, 32, head_seed=0)
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_a_reranker_is_refused(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    with pytest.raises(ModelError, match="reads at most 64 tokens"):
        open_cross_encoder(tiny_cross_encoder, SETTINGS, 65)
    with pytest.raises(ModelError, match="no layers that could read a pair"):
        load_cross_encoder("wordllama-l2-supercat-256", tmp_path, SETTINGS, 32)
    with pytest.raises(ModelError, match="not found"):
        load_cross_encoder("./nowhere", tmp_path, SETTINGS, 32)
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_cross_encoder(changed(tiny_cross_encoder, tmp_path, hidden_size=48), SETTINGS, 32)


def test_what_the_libraries_would_draw_at_random_is_refused(
    tmp_path: Path, tiny_cross_encoder: Path, tiny_backbone: Path
) -> None:
    """Weights that are not in the file, or are called otherwise there, and a vocabulary that is gone."""
    whole = load_file(tiny_cross_encoder / "model.safetensors")
    for name, kept in {
        "41 of its weights": {f"wrapped.{key}": value for key, value in whole.items()},
        r"16 of its weights(.|\n)*bert.encoder.layer.1": {k: v for k, v in whole.items() if "layer.1" not in k},
        "classifier.bias, classifier.weight": {k: v for k, v in whole.items() if "classifier" not in k},
    }.items():
        save_file(kept, changed(tiny_cross_encoder, tmp_path) / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(ModelError, match=name):
            open_cross_encoder(tmp_path / "changed", SETTINGS, 32, head_seed=0)
        shutil.rmtree(tmp_path / "changed")
    save_file(
        {key: value for key, value in load_file(tiny_backbone / "model.safetensors").items() if "layer.0" not in key},
        changed(tiny_backbone, tmp_path) / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(ModelError, match="16 of its weights"):  # its head may be drawn, but nothing else
        open_cross_encoder(tmp_path / "changed", SETTINGS, 32, head_seed=0)
    shutil.copy(tiny_backbone / "model.safetensors", tmp_path / "changed")
    for file in (tmp_path / "changed").glob("token*"):
        file.unlink()
    with pytest.raises(ModelError, match=r"tokenizer of model (.|\n)* is incomplete"):
        open_cross_encoder(tmp_path / "changed", SETTINGS, 32, head_seed=0)


def test_a_classifier_is_refused(tmp_path: Path) -> None:
    import transformers

    folder = tmp_path / "classifier"
    config = transformers.BertConfig(
        vocab_size=60, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, num_labels=3
    )
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    vocabulary = {token: i for i, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"])}
    transformers.BertTokenizerFast(vocab=vocabulary).save_pretrained(folder)
    with pytest.raises(ModelError, match="sorts pairs into 3 classes"):
        open_cross_encoder(folder, SETTINGS, 32)


def test_pickled_weights_are_refused(tmp_path: Path, tiny_cross_encoder: Path) -> None:
    copy = tmp_path / "pickled"
    shutil.copytree(tiny_cross_encoder, copy)
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        open_cross_encoder(copy, SETTINGS, 32)
