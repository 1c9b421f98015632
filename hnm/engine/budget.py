"""Stages that run at the same time share the machine's cores and memory instead of fighting for them."""

import re
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from hnm.context import Settings


class CoreBudget:
    """So many cores, handed out in the order of asking, so that a stage that wants all of them gets its turn."""

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self._free = cores
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def taking(self, cores: int) -> Iterator[None]:
        """Wait for so many cores, at most all there are, and hold them."""
        wanted, ticket = min(cores, self.cores), object()
        with self._changed:
            self._queue.append(ticket)
            self._changed.wait_for(lambda: self._queue[0] is ticket and self._free >= wanted)
            self._queue.popleft()
            self._free -= wanted
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()


def share(settings: Settings, stages: int) -> Settings:
    """What each of so many stages at once may use: its part of the cores, at least one, and of the memory."""
    limit = re.fullmatch(r"([\d.]+)\s*(\w+)", settings.memory_limit)
    if stages == 1 or not limit:
        return settings
    part = f"{float(limit[1]) / stages:.3f}{limit[2]}"
    return replace(settings, cores=max(1, settings.cores // stages), memory_limit=part)
