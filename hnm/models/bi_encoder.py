"""Load bi-encoders as sentence-transformers models and turn texts into vectors with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hnm.context import Settings
from hnm.errors import Location, ModelError
from hnm.models.bundled import BUNDLED
from hnm.models.device import autocast, choose_device, limit_threads
from hnm.models.limits import CHARACTERS_PER_TOKEN
from hnm.models.quiet import quiet_libraries
from hnm.models.resolve import loading_errors, resolve
from hnm.models.static import open_static_encoder
from hnm.models.vocabulary import require_vocabulary
from hnm.models.whole_weights import require_weights

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

Side = Literal["document", "query"]


@dataclass
class BiEncoder:
    """A loaded bi-encoder: `dimension` numbers per vector, of unit length when `normalize`.

    `tokenized` counts the texts encoded so far, `filled` those that had at least as many tokens as the model reads:
    nearly all of them were cut. Models that do not show their tokens count none.
    """

    model: "SentenceTransformer"
    settings: Settings
    dimension: int
    normalize: bool
    max_tokens: int | None
    tokenized: int = 0
    filled: int = 0

    def encode(self, texts: Sequence[str], side: Side, prompt: str | None, batch_size: int) -> "NDArray[np.float32]":
        """Vectors of non-blank texts, float32, shape (texts, dimension), in the texts' order.

        `prompt` is put before every text; None means the prompt that the model itself has for this side, if any.
        Raises ModelError when the model yields a number that is not finite.
        """
        encode = self.model.encode_query if side == "query" else self.model.encode_document
        limit = self.max_tokens * CHARACTERS_PER_TOKEN if self.max_tokens else None
        with autocast(self.settings):
            vectors = encode([text[:limit] for text in texts], prompt=prompt, batch_size=batch_size)
        return self._finish(vectors)

    @property
    def pooling(self) -> str | None:
        """How token vectors become a text's: `mean`, `cls` and so on; None for a model without a module for it."""
        from sentence_transformers.sentence_transformer.modules import Pooling

        return next((str(module.pooling_mode) for module in self.model if isinstance(module, Pooling)), None)

    def sides_differ(self, query_prompt: str | None, document_prompt: str | None) -> bool:
        """Whether one text gets different vectors as a query and as a document."""
        from sentence_transformers.sentence_transformer.modules import Router

        own = self.model.prompts
        document = next((own[key] for key in ("document", "passage", "corpus") if key in own), "")
        query = (own.get("query") or "") if query_prompt is None else query_prompt
        document = document if document_prompt is None else document_prompt
        return query != document or any(isinstance(module, Router) for module in self.model)

    def _finish(self, vectors: "NDArray[np.float32]") -> "NDArray[np.float32]":
        import numpy as np

        from hnm.models.vectors import unit

        vectors = np.asarray(vectors[:, : self.dimension], np.float32)
        if not np.isfinite(vectors).all():
            raise ModelError(
                "the model yields numbers that are not finite",
                why="its values overflow in this precision, or its weights are damaged",
                hint="set the target's precision to fp32",
            )
        return unit(vectors) if self.normalize else vectors

    def _count_tokens(self, _: "torch.nn.Module", arguments: tuple[Any, ...]) -> None:
        """Before each batch: how many of its texts reach `max_tokens`."""
        import torch

        features = arguments[0]
        if "offsets" in features:
            counts = torch.diff(features["offsets"], append=torch.tensor([len(features["input_ids"])]))
        elif "attention_mask" in features:
            counts = features["attention_mask"].sum(dim=1)
        else:
            return
        self.tokenized += len(counts)
        self.filled += int((counts >= self.max_tokens).sum()) if self.max_tokens else 0


def load_bi_encoder(
    name: str,
    root: Path,
    settings: Settings,
    max_tokens: int | None = None,
    dimension: int | None = None,
    normalize: bool = True,
) -> BiEncoder:
    """The bi-encoder called `name`: bundled, a folder (relative to `root`), or a hub's model.

    `max_tokens`: tokens read of a text, None for as many as the model is set to. `dimension`: how many leading numbers
    of a vector are kept (Matryoshka models), None for all.
    Raises ModelError for a name that leads nowhere, for what is no bi-encoder or lacks a part, and for more tokens or
    dimensions than the model has.
    """
    limit_threads(settings)
    with quiet_libraries():
        folder = resolve(name, root).fetch()
        try:
            model = _open(name, folder, choose_device(settings))
        except loading_errors() as error:
            raise ModelError(f"model {name!r} cannot be loaded", where=Location(folder), why=str(error)) from error
    require_vocabulary(name, model.tokenizer, model.config)
    require_weights(name, model.transformers_model, head=False)
    tokens = _limit_tokens(model, max_tokens)
    width = _probe(name, model, max_tokens)
    if dimension and dimension > width:
        raise ModelError(f"model {name!r} has no {dimension} dimensions", why=f"its vectors have {width}")
    encoder = BiEncoder(model, settings, dimension or width, normalize, tokens)
    model.register_forward_pre_hook(encoder._count_tokens)
    return encoder


def _open(name: str, folder: Path, device: str) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer

    layout = BUNDLED[name].layout if name in BUNDLED else "sentence-transformers"
    if layout == "static":
        weights, tokenizer = BUNDLED[name].files
        return open_static_encoder(folder / weights, folder / tokenizer, device)
    if layout == "onnx":
        raise ValueError("it is a quantized ONNX model, and only a cross-encoder of that kind can be read")
    return SentenceTransformer(
        str(folder),
        device=device,
        local_files_only=True,
        trust_remote_code=False,
        model_kwargs={"use_safetensors": True},
    )


def _limit_tokens(model: "SentenceTransformer", max_tokens: int | None) -> int | None:
    """Set how many tokens of a text are read, and return that number; None when there is no limit."""
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    first = model[0]
    if isinstance(first, StaticEmbedding):
        if max_tokens:
            first.tokenizer.enable_truncation(max_tokens)
        return max_tokens
    if max_tokens:
        model.max_seq_length = max_tokens
    return model.max_seq_length


def _probe(name: str, model: "SentenceTransformer", max_tokens: int | None) -> int:
    """The width of a vector, found by encoding one text of full length."""
    try:
        return int(model.encode(["a " * (max_tokens or 1)]).shape[1])
    except (IndexError, RuntimeError) as error:
        raise ModelError(
            f"model {name!r} cannot encode a text of {max_tokens or 1} tokens",
            why=str(error).partition("\n")[0],
            hint="lower max_tokens" if max_tokens else None,
        ) from error
