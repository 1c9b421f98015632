"""When a batch does not fit into memory: fewer groups go through the model at once; their gradients are added up."""

import gc

import torch
from accelerate.utils.memory import should_reduce_batch_size  # type: ignore[import-untyped]  # has no types

from hnm.errors import StageError

# What accelerate does not know: oneDNN's and the C++ library's words for it, and those of a full address space.
_MORE_WORDS = ("bad_alloc", "could not create a memory object", "Cannot allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a processor or a graphics card."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    known = isinstance(error, RuntimeError) and should_reduce_batch_size(error)
    return known or (isinstance(error, RuntimeError) and any(words in str(error) for words in _MORE_WORDS))


def fewer(at_once: int, batch_size: int) -> int:
    """The next smaller number of groups at once that divides the batch.

    Raises StageError when one group alone was too much.
    """
    smaller = [number for number in range(1, at_once) if batch_size % number == 0]
    if not smaller:
        raise StageError(
            "training ran out of memory with one group at once",
            hint="lower max_length or per_group, freeze layers, or set gradient_checkpointing: true",
        )
    return smaller[-1]


def free_memory() -> None:
    """Give back what an abandoned training held."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
