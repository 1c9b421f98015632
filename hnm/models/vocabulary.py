"""Whether a model's tokenizer knows the words that its weights do."""

from collections.abc import Sized
from typing import Any

from hnm.errors import ModelError


def require_vocabulary(name: str, tokenizer: object, config: Any) -> None:
    """Raises ModelError for a tokenizer with less than half of the tokens that the model was made for.

    A missing vocabulary file raises nothing in the libraries: every word would become the unknown token.
    """
    expected = getattr(config, "vocab_size", None)
    if isinstance(tokenizer, Sized) and expected and len(tokenizer) < expected / 2:
        raise ModelError(
            f"the tokenizer of model {name!r} is incomplete",
            why=f"it knows {len(tokenizer):,} tokens, the model {expected:,}",
            hint="is tokenizer.json or the vocabulary file missing?",
        )
