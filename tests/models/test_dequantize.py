"""The dequantized reranker against onnxruntime running the quantized one."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from safetensors.numpy import load_file

from hnm.context import Settings
from hnm.errors import ModelError
from hnm.models.bundled import bundled_folder
from hnm.models.cross_encoder import load_cross_encoder, score_pairs
from hnm.models.dequantize import dequantize

DOCUMENTS = {
    "sort": "list.sort(*, key=None, reverse=False): sort the list in ascending order in place and return None.",
    "sorted": "sorted(iterable, /, *, key=None, reverse=False): a new list with all items from the iterable in order.",
    "reverse": "list.reverse(): reverse the elements of the list in place.",
    "dot": "numpy.dot(a, b): dot product of two arrays; for 2-D arrays it is matrix multiplication.",
    "matmul": "numpy.matmul(x1, x2): matrix product of two arrays.",
    "glob": "pathlib.Path.glob(pattern): iterate over this subtree and yield all existing files matching the pattern.",
    "unlink": "os.unlink(path): remove (delete) the file path. This is semantically identical to remove().",
    "rmtree": "shutil.rmtree(path): recursively delete a directory tree.",
    "unicode": "str.encode(): Zeichenkette als UTF-8 kodieren; 文字列をバイト列に変換する。",
    "empty": "",
}
QUERIES = [
    "how to sort a list without changing the original",
    "multiply two matrices",
    "delete a folder with everything in it",
    "find files by pattern",
    "encode a string as bytes",
]


def onnx_logits(pairs: list[tuple[str, str]]) -> np.ndarray:
    import onnxruntime
    from tokenizers import Tokenizer

    folder = bundled_folder("reranker_en")
    options = onnxruntime.SessionOptions()
    # Processors without VNNI add two products of bytes in 16 bits, which saturates, unless precision is asked for.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    logits = []
    for pair in pairs:
        tokens = tokenizer.encode(*pair)
        feed = {"input_ids": tokens.ids, "attention_mask": tokens.attention_mask, "token_type_ids": tokens.type_ids}
        logits.append(session.run(None, {name: np.array([ids], np.int64) for name, ids in feed.items()})[0].item())
    return np.array(logits)


def quantize_activations(layer: torch.nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    """What ONNX's DynamicQuantizeLinear does to the input of a layer: 256 steps between its extremes and 0."""
    low, high = min(0.0, inputs[0].min().item()), max(0.0, inputs[0].max().item())
    step = (high - low) / 255
    zero = round(min(255.0, max(0.0, -low / step)))
    return ((torch.clamp(torch.round(inputs[0] / step) + zero, 0, 255) - zero) * step,)


def test_logits_and_ranks_agree_with_onnxruntime() -> None:
    """With its activations quantized as well, the model gives onnxruntime's logits; without, nearly the same order."""
    settings = Settings(device="cpu", precision="fp32")
    pairs = [(query, document) for query in QUERIES for document in DOCUMENTS.values()]
    shape = len(QUERIES), len(DOCUMENTS)
    model = load_cross_encoder("reranker_en", Path(), settings, 512)
    ours = score_pairs(model, pairs, settings, 16)
    theirs = onnx_logits(pairs)
    assert np.abs(ours - theirs).mean() < 0.15
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99
    best = ours.reshape(shape).argmax(axis=1)
    assert best.tolist() == theirs.reshape(shape).argmax(axis=1).tolist()
    assert [list(DOCUMENTS)[i] for i in best[[1, 3]]] == ["dot", "glob"]

    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(quantize_activations)
    quantized = np.concatenate([score_pairs(model, [pair], settings, 1) for pair in pairs])
    assert np.abs(quantized - theirs).mean() < 0.05
    assert np.abs(quantized - theirs).max() < 0.3


def test_every_weight_is_brought_back_within_one_step_of_quantization(tmp_path: Path) -> None:
    source = bundled_folder("reranker_en") / "model.onnx"
    dequantize(source, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(source).graph.initializer}
    assert {weight.dtype for weight in weights.values()} == {np.dtype(np.float32)}
    assert sum(weight.size for weight in weights.values()) == sum(
        array.size for name, array in stored.items() if not name.endswith(("_scale", "_zero_point"))
    )
    embeddings = "bert.embeddings.word_embeddings.weight"
    steps = weights[embeddings] / stored[f"{embeddings}_scale"]
    assert np.abs(steps - np.round(steps)).max() < 1e-2
    assert weights["classifier.weight"].shape == (1, 384)


def damaged(tmp_path: Path, **renamed: str) -> Path:
    """The bundled model with nodes or initializers renamed."""
    model = onnx.load(bundled_folder("reranker_en") / "model.onnx")
    for thing in (*model.graph.initializer, *model.graph.node):
        thing.name = renamed.get(thing.name.replace("/", "_").replace(".", "_"), thing.name)
    path = tmp_path / "damaged.onnx"
    onnx.save(model, path)
    return path


def test_a_weight_without_a_place_and_a_parameter_without_a_weight_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"bert\.pooler\.dense\.bias is absent") as caught:
        dequantize(damaged(tmp_path, bert_pooler_dense_bias="bert.pooler.dense.offset"), tmp_path)
    assert "bert.pooler.dense.offset is (384,), expected no such weight" in str(caught.value)
    assert not (tmp_path / "model.safetensors").exists()
    with pytest.raises(ModelError, match="classifier"):
        dequantize(damaged(tmp_path, _classifier_Gemm_MatMul_quant="/else/Gemm_MatMul_quant"), tmp_path)
    with pytest.raises(ModelError, match="heads cannot be counted"):
        dequantize(damaged(tmp_path, _bert_encoder_layer_0_attention_self_Reshape="split"), tmp_path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a quantized BERT cross-encoder"):
        dequantize(bundled_folder("reranker_en").parent / "bge_small_en" / "model.onnx", tmp_path)
    (tmp_path / "text.onnx").write_bytes(gzip.compress(b"no graph"))
    for name in ("text.onnx", "absent.onnx"):
        with pytest.raises(ModelError, match="cannot be read"):
            dequantize(tmp_path / name, tmp_path)
    torn = tmp_path / "torn.onnx"
    shutil.copy(bundled_folder("reranker_en") / "model.onnx", torn)
    with torn.open("r+b") as stream:
        stream.truncate(1_000_000)
    with pytest.raises(ModelError):
        dequantize(torn, tmp_path)
