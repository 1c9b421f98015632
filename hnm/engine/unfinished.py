"""What a build that was interrupted left of its stage, and for which fingerprint it was."""

from pathlib import Path


def marker(folder: Path) -> Path:
    """The file in a stage's folder under `work/` that says what is built in it."""
    return folder / "fingerprint"


def begun(folder: Path) -> str | None:
    """The fingerprint of the build that the folder is of; None where nothing says so, and nonsense for a damaged file,
    so that no build goes on with it.
    """
    found = marker(folder)
    return found.read_text(encoding="utf-8", errors="replace") if found.is_file() else None
