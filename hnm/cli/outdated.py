"""The note below tables that were built from other data or settings than there are now."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hnm.api import Project


def note_outdated(project: "Project", names: Iterable[str]) -> None:
    """Say on stderr which of the stages that were shown are not up to date; nothing when all are."""
    from hnm.cli.console import stderr
    from hnm.errors import SourceError

    try:
        outdated = project.outdated(names)
    except SourceError as error:
        stderr().print(f"\nnote: whether this is up to date cannot be told: {error.what}", style="yellow", markup=False)
        return
    if outdated:
        note = f"\nnote: not up to date: {', '.join(outdated)}; `hnm plan` says why"
        stderr().print(note, style="yellow", markup=False)
