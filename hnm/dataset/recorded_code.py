"""How to have the code again that a version was built from. Nothing is checked out here: that is its owner's to do."""

import shlex
from pathlib import Path

from hnm.dataset.code_state import code_state, differs_from
from hnm.dataset.find import DatasetVersion
from hnm.dataset.record import Record

ANYWHERE = ":/"  # all of the repository, in git's words


def way_back(root: Path, version: DatasetVersion, record: Record) -> str | None:
    """What to do, with a command to copy; None when the project's files are as they were recorded, or without git."""
    commit = str(record.code.get("commit") or "")
    if not commit or not code_state(root):
        return None
    dirty = ", with changes that were not committed, and are not to be had again" if record.code.get("dirty") else ""
    built = f"it was built at commit {commit[:12]}{dirty}"
    differs = differs_from(root, commit)
    if differs is None:
        return f"{built}; this repository does not have that commit: fetch it first"
    if not differs:
        return built if dirty else None
    return f"{built}; to build it from there, and come back:\n{_command(root, version, commit)}"


def _command(root: Path, version: DatasetVersion, commit: str) -> str:
    """For a shell. The warehouse and the data are where they were, as they are not under git."""
    there = "" if Path.cwd().is_relative_to(root.resolve()) else f"cd {shlex.quote(str(root))} && "
    stash, pop = ("git stash && ", " && git stash pop") if differs_from(root, "HEAD", ANYWHERE) else ("", "")
    build = f"hnm dataset reproduce {shlex.quote(version.name)}"
    return f"{there}{stash}git checkout {commit} && {{ {build}; git checkout -{pop}; }}"
