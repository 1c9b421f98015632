"""The user's own cache folder: what only saves time, and must not come with a project that somebody else packed."""

import os
from pathlib import Path


def cache_folder(name: str) -> Path | None:
    """`$XDG_CACHE_HOME/hnm/NAME`, else `~/.cache/hnm/NAME`; None where nothing can be kept, as in a read-only home."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = (Path(base) if base else Path("~/.cache").expanduser()) / "hnm" / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder
