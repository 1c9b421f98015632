"""The one error tree. Every error says what happened, where, why, and one way to mend it.

Exit codes are mapped in `hnm.cli.main` alone: 1 for an `HnmError`, 2 for wrong usage or the unhandled.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Location:
    """A place in a file; line and column count from 1."""

    path: Path
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        parts = [str(self.path), self.line, self.column]
        return ":".join(str(part) for part in parts if part is not None)


class HnmError(Exception):
    """A failure that hnm understands: shown without a traceback, exit code 1."""

    def __init__(
        self,
        what: str,
        *,
        where: Location | None = None,
        why: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  at {self.where}")
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class ProjectError(HnmError):
    """project.yml, a pipeline file or a SQL file is not what it should be."""


class TemplateError(ProjectError):
    """A Jinja template cannot be rendered."""


class SelectorError(HnmError):
    """A selector matches nothing or cannot be read."""


class SourceError(HnmError):
    """Data from outside is missing or malformed."""


class StageError(HnmError):
    """A stage failed while it ran."""


class DataTestError(StageError):
    """A blocking data test found offending rows; nothing was published. `rows`: the first of them, by test."""

    rows: Mapping[str, "pa.Table"] = MappingProxyType({})


class ModelError(HnmError):
    """A model cannot be found, is not what it claims to be, or cannot be loaded safely."""


class WarehouseError(HnmError):
    """The warehouse cannot be read or written."""


class LockedError(WarehouseError):
    """Another process holds the project or the warehouse file."""


class QueryError(HnmError):
    """SQL given by the user failed."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """A hint that names the known name closest to `name`, or None when none is close."""
    matches = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {matches[0]!r}?" if matches else None
