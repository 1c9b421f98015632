"""When a batch does not fit into memory: fewer groups go through the model at once; their gradients are added up."""

import gc

import torch
from accelerate.utils.memory import should_reduce_batch_size  # type: ignore[import-untyped]  # has no types

from hnm.errors import StageError

# What accelerate does not know: oneDNN's and the C++ library's words for it, and those of a full address space.
# oneDNN also says "primitive" where it has no memory left for the code that it compiles for a new shape.
_MORE_WORDS = (
    "bad_alloc",
    "could not create a memory object",
    "could not create a primitive",
    "Cannot allocate memory",
    "not enough memory",
)
# These words mean that an operation is not supported; fewer groups would not help.
_OTHER_WORDS = ("could not create a primitive descriptor",)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a processor or a graphics card."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if not isinstance(error, RuntimeError) or any(words in str(error) for words in _OTHER_WORDS):
        return False
    return should_reduce_batch_size(error) or any(words in str(error) for words in _MORE_WORDS)


def fewer(at_once: int, batch_size: int, words: str) -> int:
    """The next smaller number of groups at once that divides the batch.

    Raises StageError when one group alone was too much; `words` are those of the error that said so.
    """
    smaller = [number for number in range(1, at_once) if batch_size % number == 0]
    if not smaller:
        raise StageError(
            "training ran out of memory with one group at once",
            why=words,
            hint="lower max_length or per_group, freeze layers, or set gradient_checkpointing: true",
        )
    return smaller[-1]


def free_memory() -> None:
    """Give back what an abandoned training held."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
