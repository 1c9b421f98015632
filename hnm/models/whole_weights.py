"""Whether all of a model's weights were in its folder.

What the libraries do not find they draw at random, and say so in a report that nobody sees: such a model would rank or
encode by chance.
"""

from pathlib import Path
from typing import Any

from hnm.errors import ModelError
from hnm.models.quiet import quiet_libraries

SHOWN = 3
_UNUSED = "pooler"
"""Bi-encoders pool by themselves, and their folders often lack it."""


def require_weights(name: str, model: Any, head: bool) -> None:
    """Raises ModelError when a weight of a transformers model is in no safetensors file of the folder that it is from.

    `head`: whether the weights above the encoder, and its pooler, must be there too.
    """
    if model is None or set(model.state_dict()) <= (stored := _stored(Path(model.name_or_path))) or not stored:
        return
    # Names alone do not tell: some are tied to others, some were called otherwise once. A second loading does.
    import torch

    with quiet_libraries(), torch.random.fork_rng():
        _, info = type(model).from_pretrained(
            model.name_or_path,
            config=model.config,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    missing = sorted(key for key in info["missing_keys"] if head or _is_inside(model, key))
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise ModelError(
            f"model {name!r} lacks {len(missing):,} of its weights",
            why=f"not in its safetensors: {', '.join(missing[:SHOWN])}{more}",
            hint="save the whole model again with save_pretrained, from where it is complete",
        )


def _stored(folder: Path) -> set[str]:
    """Names of the weights in a folder; none where they are changes of another model's."""
    from safetensors import safe_open

    names: set[str] = set()
    for path in () if (folder / "adapter_config.json").exists() else folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            names.update(file.keys())
    return names


def _is_inside(model: Any, key: str) -> bool:
    """Whether the weight belongs to the layers that every head needs."""
    return key.removeprefix(f"{model.base_model_prefix}.") in model.base_model.state_dict() and _UNUSED not in key
