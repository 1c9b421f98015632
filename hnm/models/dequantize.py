"""A trainable BERT cross-encoder from its dynamically quantized ONNX export.

Dynamic quantization keeps every parameter: floats under their own names, embeddings as `NAME_quantized` with a scale
and a zero point, and each linear layer's weight as the right operand of a `MatMulInteger` node named after the layer.
`(quantized - zero point) * scale` brings a weight back, up to the rounding of the quantization.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.errors import Location, ModelError

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from transformers import BertConfig

    Weights = dict[str, np.ndarray[Any, np.dtype[Any]]]

_LINEAR = re.compile(r"^/(?P<module>.+?)/(?:Gemm_)?MatMul_quant$")
_QUANTIZED = "_quantized"
_SPLIT_INTO_HEADS = "/bert/encoder/layer.0/attention/self/Reshape"


def dequantize(onnx_file: Path, folder: Path) -> None:
    """Write `config.json` and `model.safetensors` (float32) of the `BertForSequenceClassification` behind `onnx_file`.

    Raises ModelError when the file cannot be read, when one of its weights has no place in the model, or when one of
    the model's parameters is not in the file: a single random weight would rank badly and look healthy.
    """
    from safetensors.numpy import save_file

    graph = _read(onnx_file)
    weights = _weights(graph, onnx_file)
    config = _config(graph, weights, onnx_file)
    _account_for_all(weights, config, onnx_file)
    config.save_pretrained(folder)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _read(onnx_file: Path) -> "onnx.GraphProto":
    try:
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf has no types
    except ImportError as missing:
        raise ModelError(
            "the package onnx is needed to read a quantized model", hint="pip install 'hnm[bundled]'"
        ) from missing
    try:
        return onnx.load(str(onnx_file)).graph
    except (OSError, DecodeError) as error:
        raise ModelError("an ONNX file cannot be read", where=Location(onnx_file), why=str(error)) from error


def _weights(graph: "onnx.GraphProto", onnx_file: Path) -> "Weights":
    """Every parameter by its name in PyTorch, dequantized; linear weights turned to PyTorch's (output, input)."""
    import numpy as np
    from onnx import numpy_helper

    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    quantized = {name.removesuffix(_QUANTIZED) for name in stored if name.endswith(_QUANTIZED)}
    try:
        floats = {
            name: (np.float32(1) * stored.pop(name + _QUANTIZED) - np.float32(stored.pop(f"{name}_zero_point")))
            * stored.pop(f"{name}_scale")
            for name in quantized
        }
    except KeyError as missing:
        raise _unexpected(onnx_file, f"it has no initializer {missing}") from missing
    for node in graph.node:
        linear = _LINEAR.match(node.name) if node.op_type == "MatMulInteger" else None
        operand = node.input[1].removesuffix(_QUANTIZED) if linear else ""
        if linear and operand in floats:
            stored[linear["module"].replace("/", ".") + ".weight"] = floats.pop(operand).T
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in sorted((stored | floats).items())}


def _config(graph: "onnx.GraphProto", weights: "Weights", onnx_file: Path) -> "BertConfig":
    """The architecture, read off the weights' shapes."""
    from transformers import BertConfig

    try:
        vocabulary, width = weights["bert.embeddings.word_embeddings.weight"].shape
        return BertConfig.from_dict(
            {
                "architectures": ["BertForSequenceClassification"],
                "vocab_size": vocabulary,
                "hidden_size": width,
                "max_position_embeddings": len(weights["bert.embeddings.position_embeddings.weight"]),
                "type_vocab_size": len(weights["bert.embeddings.token_type_embeddings.weight"]),
                "intermediate_size": len(weights["bert.encoder.layer.0.intermediate.dense.weight"]),
                "num_hidden_layers": sum(name.endswith(".intermediate.dense.weight") for name in weights),
                "num_attention_heads": _attention_heads(graph, onnx_file),
                "num_labels": len(weights["classifier.weight"]),
            }
        )
    except KeyError as missing:
        raise _unexpected(onnx_file, f"it has no weight {missing}") from missing


def _attention_heads(graph: "onnx.GraphProto", onnx_file: Path) -> int:
    """The one size that no weight shows: the queries are reshaped to (batch, tokens, heads, width of a head)."""
    from onnx import numpy_helper

    makers = {output: node for node in graph.node for output in node.output}
    split = next((node for node in graph.node if node.name == _SPLIT_INTO_HEADS), None)
    shape = makers.get(split.input[1]) if split else None
    heads = makers.get(shape.input[-2]) if shape and len(shape.input) > 1 else None
    if heads is None or heads.op_type != "Constant":
        raise _unexpected(onnx_file, "its attention heads cannot be counted")
    return int(numpy_helper.to_array(heads.attribute[0].t).item())


def _account_for_all(weights: "Weights", config: "BertConfig", onnx_file: Path) -> None:
    import torch
    from transformers import BertForSequenceClassification

    with torch.device("meta"):  # shapes only, no memory
        expected = {name: tuple(t.shape) for name, t in BertForSequenceClassification(config).state_dict().items()}
    found = {name: value.shape for name, value in weights.items()}
    wrong = [
        f"{name} is {found.get(name, 'absent')}, expected {expected.get(name, 'no such weight')}"
        for name in sorted(expected.keys() | found.keys())
        if expected.get(name) != found.get(name)
    ]
    if wrong:
        raise _unexpected(onnx_file, "; ".join(wrong))


def _unexpected(onnx_file: Path, why: str) -> ModelError:
    return ModelError(
        "an ONNX file is not a quantized BERT cross-encoder",
        where=Location(onnx_file),
        why=why,
        hint="use a folder or a hub model with safetensors",
    )
