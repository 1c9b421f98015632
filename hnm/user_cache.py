"""The user's own cache folder: what only saves time, and must not come with a project that somebody else packed."""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from hnm.errors import HnmError
from hnm.writers._aside import aside


def cache_folder(name: str) -> Path | None:
    """`$XDG_CACHE_HOME/hnm/NAME`, else `~/.cache/hnm/NAME`; None where nothing can be kept, as in a read-only home."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = (Path(base) if base else Path("~/.cache").expanduser()) / "hnm" / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder


def read_kept(name: str, key: bytes) -> Any:
    """What `keep` kept in that folder under that key; None when nothing is, or it is damaged."""
    try:
        path = _kept_at(name, key)
        return path and json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def keep(name: str, key: bytes, value: Any) -> None:
    """Keep what JSON can write, whole or not at all; a full disk only costs time."""
    if path := _kept_at(name, key):
        with suppress(HnmError), aside(path) as written:
            written.write_text(json.dumps(value), encoding="utf-8")


def _kept_at(name: str, key: bytes) -> Path | None:
    folder = cache_folder(name)
    return folder and folder / f"{hashlib.sha256(key).hexdigest()}.json"
