"""Threads of one process share a DuckDB file: many read it, or one writes it.

DuckDB relies on the operating system's lock for that, which keeps other processes out but not threads of the same one.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path


class Gate:
    """Readers together, or one writer alone. Who waits to write goes before new readers.

    A thread that reads may enter again to read, but not to write.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers: Counter[int] = Counter()
        self._writing = False
        self._writers_waiting = 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold the file together with other readers."""
        me = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: me in self._readers or not (self._writing or self._writers_waiting))
            self._readers[me] += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers[me] -= 1
                if not self._readers[me]:
                    del self._readers[me]
                self._changed.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the file alone."""
        with self._changed:
            self._writers_waiting += 1
            try:
                self._changed.wait_for(lambda: not (self._writing or self._readers))
                self._writing = True
            finally:
                self._writers_waiting -= 1
        try:
            yield
        finally:
            with self._changed:
                self._writing = False
                self._changed.notify_all()


@cache
def gate_of(path: Path) -> Gate:
    """The one gate of a file in this process. `path` must be absolute."""
    return Gate()
