"""Load cross-encoders (rerankers) as sentence-transformers models with one score, and score pairs with them."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hnm.context import Settings
from hnm.errors import Location, ModelError
from hnm.models.bundled import BUNDLED
from hnm.models.dequantize import dequantize
from hnm.models.device import autocast, choose_device
from hnm.models.quiet import quiet_libraries
from hnm.models.resolve import loading_errors, refuse_pickles, resolve
from hnm.models.vocabulary import require_vocabulary
from hnm.models.whole_weights import require_weights

if TYPE_CHECKING:
    import numpy as np
    from sentence_transformers import CrossEncoder

CHARACTERS_PER_TOKEN = 32
"""Texts are cut at so many characters per token before they are tokenized: far above any language's average, so that
the cut never reaches what the model sees, and a text of megabytes costs no more than a page."""

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
# Without dropout in attention, training uses the fused kernel: on a processor three times as fast, in half the memory.
# A configuration takes the one of the two names that it knows.
_WITHOUT_ATTENTION_DROPOUT = {"attention_probs_dropout_prob": 0.0, "attention_dropout": 0.0}
_TRAINED_HEADS = ("ForSequenceClassification", "ForCausalLM")


def load_cross_encoder(
    name: str, root: Path, settings: Settings, max_length: int, head_seed: int | None = None
) -> "CrossEncoder":
    """The cross-encoder called `name`: bundled, a folder (relative to `root`), or a hub's; see `open_cross_encoder`.

    Raises ModelError for a name that leads nowhere or to something that cannot read a pair of texts.
    """
    folder = resolve(name, root).fetch()
    layout = BUNDLED[name].layout if name in BUNDLED else "sentence-transformers"
    if layout == "static":
        raise ModelError(f"model {name!r} has no layers that could read a pair", hint="use reranker_en")
    if layout == "sentence-transformers":
        return open_cross_encoder(folder, settings, max_length, head_seed, name)
    # Converting takes well under a second, less than keeping a cache right would be worth.
    with TemporaryDirectory(prefix="hnm-") as temporary:
        converted = Path(temporary)
        dequantize(folder / "model.onnx", converted)
        for file in _TOKENIZER_FILES:
            shutil.copy(folder / file, converted)
        return open_cross_encoder(converted, settings, max_length, head_seed, name)


def open_cross_encoder(
    folder: Path, settings: Settings, max_length: int, head_seed: int | None = None, name: str | None = None
) -> "CrossEncoder":
    """The cross-encoder in a folder, with one output, a logit: any real number, higher is better.

    `max_length`: tokens of query and document together; the longer side is cut.
    `head_seed`: seed of a fresh head for a model that has none (a bi-encoder); None refuses such a model, because a
    random head scores at random. `name`: what errors call the model (default: its folder).
    Raises ModelError for a missing head or vocabulary, for weights that are not there, for more than one output, and
    for what cannot be loaded.
    """
    import torch
    from sentence_transformers import CrossEncoder

    name = name or str(folder)
    refuse_pickles(name, folder)
    has_head = _has_trained_head(folder)
    if head_seed is None and not has_head:
        raise ModelError(
            f"model {name!r} cannot rank",
            why="it is a bi-encoder or a bare language model, without a trained head",
            hint="train it first with `transform: train_cross_encoder`, or use reranker_en",
        )
    with quiet_libraries(), torch.random.fork_rng():
        torch.manual_seed(head_seed or 0)
        try:
            model: CrossEncoder = CrossEncoder(
                str(folder),
                device=choose_device(settings),
                max_length=max_length,
                activation_fn=torch.nn.Identity(),
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
                config_kwargs=dict(_WITHOUT_ATTENTION_DROPOUT),
            )
        except loading_errors() as error:
            raise ModelError(f"model {name!r} cannot be loaded as a cross-encoder", why=str(error)) from error
    _check(model, name, max_length)
    require_weights(name, model.transformers_model, head=has_head)
    # In bfloat16 the logits near 9 are 1/16 apart and many would tie; the head costs nothing in float32.
    linear = [name for name, module in model.named_modules() if type(module) is torch.nn.Linear]
    model.set_keep_in_fp32_modules(linear[-1:])
    return model


def score_pairs(
    model: "CrossEncoder", pairs: Sequence[tuple[str, str]], settings: Settings, batch_size: int
) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """The logit of every (query, document) pair, float32 in the pairs' order; higher is better.

    Batches hold pairs of like length, because a batch is padded to its longest. Memory is bounded by `batch_size`.
    """
    import numpy as np

    if not pairs:
        return np.empty(0, np.float32)
    with autocast(settings):
        scores = model.predict(list(pairs), batch_size=batch_size, show_progress_bar=False)
    return np.asarray(scores, np.float32)


def _has_trained_head(folder: Path) -> bool:
    """Whether the folder says that it holds a cross-encoder: saved as one, or with a head over its layers."""
    described = _read_json(folder / "config_sentence_transformers.json").get("model_type")
    architectures = _read_json(folder / "config.json").get("architectures") or [""]
    return described == "CrossEncoder" or str(architectures[0]).endswith(_TRAINED_HEADS)


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError("a model's description is broken", where=Location(path), why=str(error)) from error
    return content


def _check(model: "CrossEncoder", name: str, max_length: int) -> None:
    if model.num_labels != 1:
        raise ModelError(
            f"model {name!r} is not a reranker",
            why=f"it sorts pairs into {model.num_labels} classes; one score is needed",
        )
    require_vocabulary(name, model.tokenizer, model.config)
    positions = getattr(model.config, "max_position_embeddings", None)
    if positions and max_length > positions:
        raise ModelError(f"max_length {max_length} is too long", why=f"model {name!r} reads at most {positions} tokens")
