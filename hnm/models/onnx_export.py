"""Cross-encoders as ONNX files, as they are or in 8-bit integers, and their scores by onnxruntime.

`optimum`, which sentence-transformers uses for this, lags behind transformers; torch's own exporter does not.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from enum import StrEnum
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hnm.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from sentence_transformers import CrossEncoder


class Form(StrEnum):
    """What is written beside the configuration and the tokenizer."""

    safetensors = "safetensors"
    onnx = "onnx"
    onnx_int8 = "onnx-int8"


FILES = {Form.onnx: "onnx/model.onnx", Form.onnx_int8: "onnx/model_qint8.onnx"}

INSTALL_HINT = "pip install 'hnm[onnx]'"
EXTERNAL_BYTES = 1_900_000_000
"""A protobuf file ends at 2 GB: beyond that the weights go into a file beside it."""


def require_onnx() -> None:
    """Raises ModelError when a package that this needs is not installed."""
    missing = [name for name in ("onnx", "onnxruntime", "onnxscript") if find_spec(name) is None]
    if missing:
        raise ModelError("ONNX cannot be written", why=f"not installed: {', '.join(missing)}", hint=INSTALL_HINT)


def write_onnx(model: "CrossEncoder", path: Path) -> None:
    """Write the model, in float32: inputs as its tokenizer names them, output `logits` (pairs, 1), any size of batch.

    The model must be in float32 on the CPU. Raises ModelError when torch cannot trace it.
    """
    import torch

    example = model.tokenizer([("a query", "a document"), ("one", "two")], padding=True, return_tensors="pt")
    inputs = {name: example[name] for name in model.tokenizer.model_input_names if name in example}
    axes = {0: torch.export.Dim("pairs"), 1: torch.export.Dim("tokens")}
    size = sum(value.nbytes for value in model.parameters())
    path.parent.mkdir(parents=True, exist_ok=True)
    with _quiet():
        try:
            torch.onnx.export(
                _logits(model, list(inputs)),
                tuple(inputs.values()),
                str(path),
                input_names=list(inputs),
                output_names=["logits"],
                dynamic_shapes={"inputs": tuple(axes for _ in inputs)},
                dynamo=True,
                external_data=size > EXTERNAL_BYTES,
                verbose=False,
            )
        except (torch.onnx.OnnxExporterError, RuntimeError) as error:
            why = str(error).strip().splitlines()[0]
            raise ModelError("the model cannot be written as ONNX", why=why, hint="use its safetensors") from error


def quantize(source: Path, target: Path) -> None:
    """Write the ONNX file `source` with the weights of its matrix products in 8-bit integers (dynamic quantization).

    Activations are quantized as they come, so that no data is needed. A quarter of the size.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    external = source.with_name(source.name + ".data").exists()
    with _quiet():
        quantize_dynamic(source, target, weight_type=QuantType.QInt8, use_external_data_format=external)


class OnnxScorer:
    """Scores pairs by onnxruntime on the CPU with the tokenizer of a model."""

    def __init__(self, path: Path, model: "CrossEncoder", max_length: int, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._tokenizer = model.tokenizer
        self._max_length = max_length

    def score(self, pairs: Sequence[tuple[str, str]], batch_size: int) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """The logit of every pair, float32 in the pairs' order; batches hold pairs of like length."""
        import numpy as np

        order = sorted(range(len(pairs)), key=lambda place: -sum(map(len, pairs[place])))
        scores = np.empty(len(pairs), np.float32)
        for first in range(0, len(order), batch_size):
            places = order[first : first + batch_size]
            tokens = self._tokenizer(
                [pairs[place] for place in places],
                padding=True,
                truncation=True,
                max_length=self._max_length,
                return_tensors="np",
            )
            inputs = {wanted.name: tokens[wanted.name] for wanted in self._session.get_inputs()}
            scores[places] = self._session.run(["logits"], inputs)[0][:, 0]
        return scores


def _logits(model: "CrossEncoder", names: Sequence[str]) -> "torch.nn.Module":
    """The model from tokens to logits, its inputs by position."""
    import torch

    inner: Any = model.model

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.inner(**dict(zip(names, inputs, strict=True))).logits
            return logits

    return Logits().eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Exporters talk on stdout, in warnings and in the root logger of what they do step by step."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
