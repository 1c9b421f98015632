"""What a running transform may ask of the tool: progress, a place to work, settings, and a place to note facts."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from hnm.errors import Location, SourceError

Advance = Callable[[int], None]
BadRows = Literal["refuse", "quarantine"]


class Reporter(Protocol):
    """Where progress and notes of a stage are shown."""

    def progress(self, description: str, total: int | None, unit: str) -> AbstractContextManager[Advance]:
        """A progress bar; the value is a function that advances it by so many units."""

    def note(self, message: str) -> None:
        """One line for the person who watches."""


class SilentReporter:
    """Shows nothing."""

    @contextmanager
    def progress(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:
        yield lambda count: None

    def note(self, message: str) -> None:
        """Drop the message."""


class NamingReporter:
    """Puts the stage's name before everything, for stages that report at the same time."""

    def __init__(self, inner: Reporter, stage: str) -> None:
        self._inner = inner
        self._stage = stage

    def progress(self, description: str, total: int | None, unit: str) -> AbstractContextManager[Advance]:
        """The inner reporter's progress bar."""
        return self._inner.progress(f"{self._stage}: {description}", total, unit)

    def note(self, message: str) -> None:
        """The inner reporter's line."""
        self._inner.note(f"{self._stage}: {message}")


@dataclass(frozen=True)
class Settings:
    """How much of the machine a stage may use. `memory_limit` is in DuckDB's notation, for example `2GB`."""

    device: str = "auto"
    cores: int = 2
    memory_limit: str = "2GB"
    precision: Literal["auto", "fp32", "bf16"] = "auto"


@dataclass(frozen=True)
class BadRow:
    """A row of a source that cannot be used: where it stood, why it was refused, and how it began."""

    where: Location
    reason: str
    excerpt: str


EXCERPT_CHARACTERS = 200
SHOWN_BAD_ROWS = 5
KEPT_BAD_ROWS = 10_000  # all are counted; more are not kept, so that a file of rubbish cannot fill the memory


@dataclass
class Context:
    """One run of one stage.

    `root`: the project's folder. `workdir`: a folder of this stage and fingerprint that survives a kill, so that long
    work can go on where it stopped; removed when the stage is published. `model_folder`: where a model stage writes.
    """

    stage: str
    root: Path
    workdir: Path
    settings: Settings = field(default_factory=Settings)
    reporter: Reporter = field(default_factory=SilentReporter)
    facts: dict[str, Any] = field(default_factory=dict)
    bad_rows: list[BadRow] = field(default_factory=list)
    bad_row_count: int = 0

    @property
    def model_folder(self) -> Path:
        return self.workdir / "model"

    def progress(
        self, description: str, total: int | None = None, unit: str = "rows"
    ) -> AbstractContextManager[Advance]:
        """A progress bar for work that may take over a second."""
        return self.reporter.progress(description, total, unit)

    def note(self, message: str) -> None:
        """One line for the person who watches."""
        self.reporter.note(message)

    def record(self, **facts: Any) -> None:
        """Keep JSON-able facts with the published stage (`facts` in `_hnm.materializations`)."""
        self.facts.update(facts)

    def bad_row(self, where: Location, reason: str, content: str) -> None:
        """Note a row that cannot be used. Nothing is decided here: see `settle_bad_rows`."""
        self.bad_row_count += 1
        if len(self.bad_rows) < KEPT_BAD_ROWS:
            self.bad_rows.append(BadRow(where, reason, content[:EXCERPT_CHARACTERS]))

    def settle_bad_rows(self, policy: BadRows, read: int) -> None:
        """After a source was read: refuse it for its bad rows, or let them go to quarantine, counted and shown.

        `read`: how many rows were good. Raises SourceError under `refuse` when there is any bad row, and under
        either policy when every row is bad.
        """
        if not self.bad_rows or (policy == "quarantine" and read):
            return
        count = self.bad_row_count
        shown = "\n".join(f"    {bad.where}: {bad.reason}" for bad in self.bad_rows[:SHOWN_BAD_ROWS])
        more = f"\n    … and {count - SHOWN_BAD_ROWS:,} more" if count > SHOWN_BAD_ROWS else ""
        raise SourceError(
            f"{self.stage}: {count:,} of {count + read:,} rows cannot be used\n{shown}{more}",
            where=self.bad_rows[0].where,
            hint="mend the rows, or set `on_bad_rows: quarantine` on the source to set them aside and go on"
            if read
            else "is it the right file, in the source's format and in UTF-8?",
        )
