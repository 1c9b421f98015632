"""Static embeddings (one vector per token, averaged) as sentence-transformers models."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def open_static_encoder(weights: Path, tokenizer: Path, device: str) -> "SentenceTransformer":
    """A bi-encoder from a safetensors file with one matrix (tokens x dimension) and a `tokenizers` JSON file.

    Raises ValueError when the file holds anything but one matrix, OSError when a file cannot be read.
    """
    import torch
    from safetensors.torch import load_file
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tensors = list(load_file(weights).values())
    if len(tensors) != 1 or tensors[0].ndim != 2:
        raise ValueError(f"{weights.name} does not hold one matrix")
    embedding = StaticEmbedding(Tokenizer.from_file(str(tokenizer)), embedding_weights=tensors[0].to(torch.float32))
    return SentenceTransformer(modules=[embedding], device=device)
