"""Read the next batch while the last one is written."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")


class _End:
    """Comes after the last item."""


_END: Final = _End()


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items in the same order, each made in a thread of its own while the one before it is in use.

    Memory: one item more. What the items raise is raised here.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        waiting = thread.submit(next, items, _END)
        while not isinstance(item := waiting.result(), _End):
            waiting = thread.submit(next, items, _END)
            yield item
