"""Bi-encoders against plain sentence-transformers, and what is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from sentence_transformers import SentenceTransformer

from hnm.context import Settings
from hnm.errors import ModelError
from hnm.models.bi_encoder import BiEncoder, load_bi_encoder
from hnm.models.bundled import BUNDLED, bundled_folder

MINILM, STATIC = "all-MiniLM-L6-v2", "wordllama-l2-supercat-256"
TEXTS = ["A heart attack needs help at once.", "naïve café 東京 🙂", "x", "Sort an array in place. " * 60]
FP32 = Settings(device="cpu", cores=1, precision="fp32")


@pytest.fixture(scope="module")
def minilm() -> BiEncoder:
    return load_bi_encoder(MINILM, Path(), FP32)


@pytest.fixture(scope="module")
def plain() -> NDArray[np.float32]:
    return SentenceTransformer(str(bundled_folder(MINILM)), device="cpu").encode(TEXTS)


@pytest.fixture(scope="module")
def saved(tiny_backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random bi-encoder, saved as sentence-transformers saves one."""
    folder = tmp_path_factory.mktemp("saved")
    SentenceTransformer(str(tiny_backbone), device="cpu").save_pretrained(str(folder))
    return folder


def lengths(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.linalg.norm(vectors.astype(np.float64), axis=1)


def test_vectors_are_those_of_sentence_transformers(minilm: BiEncoder, plain: NDArray[np.float32]) -> None:
    vectors = minilm.encode(TEXTS, "document", None, batch_size=2)
    assert (minilm.dimension, vectors.dtype, minilm.pooling) == (384, np.float32, "mean")
    np.testing.assert_allclose(vectors, plain, atol=1e-5)
    np.testing.assert_allclose(lengths(vectors), 1, atol=1e-6)


def test_bf16_vectors_are_close_and_of_unit_length(plain: NDArray[np.float32]) -> None:
    encoder = load_bi_encoder(MINILM, Path(), Settings(device="cpu", cores=1, precision="bf16"))
    vectors = encoder.encode(TEXTS, "document", None, batch_size=2)
    assert ((vectors * plain).sum(axis=1) > 0.999).all()
    np.testing.assert_allclose(lengths(vectors), 1, atol=1e-6)


def test_static_vectors_are_the_mean_of_the_tokens_vectors() -> None:
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    encoder = load_bi_encoder(STATIC, Path(), FP32, normalize=False)
    vectors = encoder.encode(TEXTS, "query", None, batch_size=32)
    folder = bundled_folder(STATIC)
    weights, tokenizer = (folder / file for file in BUNDLED[STATIC].files)
    (table,) = load_file(weights).values()
    encoded = Tokenizer.from_file(str(tokenizer)).encode_batch(TEXTS, add_special_tokens=False)
    expected = np.stack([table[text.ids].astype(np.float32).mean(axis=0) for text in encoded])
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    assert encoder.dimension == 256


@pytest.mark.parametrize("name", [MINILM, STATIC])
def test_max_tokens_cuts_and_the_cut_texts_are_counted(name: str) -> None:
    encoder = load_bi_encoder(name, Path(), FP32, max_tokens=16)
    long, longer = "one two three four " * 10, "one two three four " * 10 + "another end"
    vectors = encoder.encode([long, longer, "short"], "document", None, batch_size=2)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)
    assert (encoder.tokenized, encoder.filled) == (3, 2)


def test_a_text_of_megabytes_costs_no_more_than_its_beginning(minilm: BiEncoder) -> None:
    """Seen where spaces, which are no tokens, fill the part of the text that is handed to the model."""
    huge = "heart" + " " * 1_000_000 + "attack"
    vectors = minilm.encode([huge, "heart", "heart attack"], "document", None, batch_size=2)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)
    assert np.abs(vectors[0] - vectors[2]).max() > 1e-3


def test_a_smaller_dimension_is_the_head_of_the_vector_at_unit_length(plain: NDArray[np.float32]) -> None:
    vectors = load_bi_encoder(MINILM, Path(), FP32, dimension=64).encode(TEXTS, "document", None, 2)
    head = plain[:, :64] / lengths(plain[:, :64])[:, None]
    np.testing.assert_allclose(vectors, head, atol=1e-5)


def test_prompts_stand_before_the_text(minilm: BiEncoder) -> None:
    with_prompt = minilm.encode(["heart"], "query", "query: ", 32)
    np.testing.assert_allclose(with_prompt, minilm.encode(["query: heart"], "query", None, 32), atol=1e-5)
    assert minilm.sides_differ("query: ", None)
    assert not minilm.sides_differ("", None)
    assert not minilm.sides_differ("x", "x")


def test_the_models_own_prompts_are_used_unless_others_are_given(tmp_path: Path) -> None:
    folder = tmp_path / "prompted"
    shutil.copytree(bundled_folder(MINILM), folder)
    prompts = '{"prompts": {"query": "query: ", "document": ""}, "default_prompt_name": null}'
    (folder / "config_sentence_transformers.json").write_text(prompts)
    encoder = load_bi_encoder("prompted", tmp_path, FP32)
    assert encoder.sides_differ(None, None)
    assert not encoder.sides_differ("", None)
    own, none = (encoder.encode(["heart"], "query", prompt, 32) for prompt in (None, ""))
    given = encoder.encode(["heart"], "document", "query: ", 32)
    np.testing.assert_allclose(own, given, atol=1e-5)
    assert np.abs(own - none).max() > 1e-3


def test_a_folder_with_a_bare_transformer_is_a_bi_encoder(tiny_backbone: Path) -> None:
    encoder = load_bi_encoder(str(tiny_backbone), Path(), FP32)
    assert encoder.encode(["abc", "def"], "document", None, 32).shape == (2, 32)


def test_more_tokens_or_dimensions_than_the_model_has_are_refused(tiny_backbone: Path) -> None:
    with pytest.raises(ModelError, match="cannot encode a text of 65 tokens"):
        load_bi_encoder(str(tiny_backbone), Path(), FP32, max_tokens=65)
    with pytest.raises(ModelError, match="its vectors have 32"):
        load_bi_encoder(str(tiny_backbone), Path(), FP32, dimension=33)


def test_pickles_and_rerankers_are_refused(tiny_backbone: Path, tmp_path: Path) -> None:
    import torch

    pickled = tmp_path / "pickled"
    shutil.copytree(tiny_backbone, pickled)
    (pickled / "model.safetensors").unlink()
    torch.save({}, pickled / "pytorch_model.bin")
    with pytest.raises(ModelError, match="no safetensors"):
        load_bi_encoder("pickled", tmp_path, FP32)
    with pytest.raises(ModelError, match="reranker_en"):
        load_bi_encoder("reranker_en", tmp_path, FP32)


def test_weights_that_would_be_drawn_at_random_are_refused(tiny_backbone: Path, tmp_path: Path) -> None:
    copy = tmp_path / "partial"
    shutil.copytree(tiny_backbone, copy)
    whole = load_file(copy / "model.safetensors")
    save_file({f"wrapped.{key}": value for key, value in whole.items()}, copy / "model.safetensors")
    with pytest.raises(ModelError, match="37 of its weights"):
        load_bi_encoder(str(copy), tmp_path, FP32)
    used = {key: value for key, value in whole.items() if "pooler" not in key}
    save_file(used, copy / "model.safetensors", {"format": "pt"})
    assert load_bi_encoder(str(copy), tmp_path, FP32).dimension == 32


def test_code_that_comes_with_a_model_is_not_run(tiny_backbone: Path, tmp_path: Path) -> None:
    folder = tmp_path / "with-code"
    shutil.copytree(tiny_backbone, folder)
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: ...\n")
    (folder / "modules.json").write_text('[{"idx": 0, "name": "0", "path": "", "type": "evil.Evil"}]')
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_bi_encoder("with-code", tmp_path, FP32)
    assert not (tmp_path / "ran").exists()


def test_numbers_that_are_not_finite_are_refused(tiny_backbone: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "overflowing"
    shutil.copytree(tiny_backbone, folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["embeddings.LayerNorm.bias"].fill_(float("nan"))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    encoder = load_bi_encoder("overflowing", tmp_path, FP32)
    with pytest.raises(ModelError, match="not finite"):
        encoder.encode(["abc"], "document", None, 32)


def test_loading_and_encoding_write_nothing_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    load_bi_encoder(MINILM, Path(), FP32).encode(TEXTS, "document", None, 32)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json", "1_Pooling/config.json"])
@pytest.mark.parametrize("content", [b"", b"\xff{", b"{}", b"[]", b'{"model_type": 3}', None])
def test_damaged_files_are_errors_in_words(file: str, content: bytes | None, saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "m")
    if content is None:
        (tmp_path / "m" / file).unlink()
    else:
        (tmp_path / "m" / file).write_bytes(content)
    with pytest.raises(ModelError):
        load_bi_encoder("m", tmp_path, FP32)
