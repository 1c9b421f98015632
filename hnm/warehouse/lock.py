"""One run at a time per warehouse: an operating-system lock whose file says who holds it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from hnm.errors import LockedError


@contextmanager
def run_lock(folder: Path, command: str) -> Iterator[None]:
    """Hold the warehouse for a run; the system frees it even after a kill. Raises LockedError when it is held."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / "run.lock.json"
    lock = FileLock(folder / "run.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise LockedError(
            f"another run holds {folder}",
            why=_describe(holder),
            hint="wait for it to end; `hnm query` and `hnm show` work meanwhile",
        ) from None
    try:
        _note(holder, command)
        yield
    finally:
        with suppress(OSError):
            holder.unlink()
        lock.release()


def _note(holder: Path, command: str) -> None:
    """Say who holds the lock, where that can be said: on a full disk the lock holds without, and `hnm gc` works."""
    started = datetime.now().astimezone().isoformat(timespec="seconds")
    with suppress(OSError):
        holder.write_text(json.dumps({"pid": os.getpid(), "command": command, "since": started}))


def _describe(holder: Path) -> str:
    try:
        known = json.loads(holder.read_text())
        return f"process {known['pid']}: {known['command']}, since {known['since']}"
    except (OSError, ValueError, TypeError, KeyError):
        return "it started a moment ago"
