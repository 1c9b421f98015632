"""The log file of a run: a line for every event; tracebacks of failures are added to the same file."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hnm.context import Advance
from hnm.engine.plan import Entry
from hnm.engine.run import Listener, StageResult
from hnm.masking import masked
from hnm.warehouse.state import now

LogLevel = Literal["debug", "info", "warning", "error"]
KEPT_LOGS = 20

_SEVERITY = {"failed": logging.ERROR, "skipped": logging.WARNING, "blocked": logging.WARNING, "fresh": logging.DEBUG}


@dataclass(frozen=True)
class LogFile:
    """Where a run is logged, from which level on, and what must not stand there."""

    path: Path
    level: LogLevel = "info"
    secrets: tuple[str, ...] = ()


class RunLog:
    """A listener that hands everything on to another one, and writes it down with the time.

    `results` and `timeline` hold what was finished, also when the run is interrupted.
    """

    def __init__(self, inner: Listener, file: LogFile, header: str) -> None:
        """`header`: the first line. The file is made with the first event, so that a run that cannot start has none."""
        self.inner = inner
        self.file = file
        self.header = header
        self.results: list[StageResult] = []
        self.timeline: dict[str, tuple[str, str]] = {}
        self._began: dict[str, str] = {}
        self._logger = logging.Logger("hnm.run", file.level.upper())
        self._logger.addHandler(logging.NullHandler())
        self._is_open = False

    def started(self, entry: Entry, index: int, total: int) -> None:
        if not self._is_open:
            self._open()
        self._began[entry.node.name] = now()
        level = logging.DEBUG if entry.status == "fresh" else logging.INFO
        self._logger.log(level, "%s: started (%s)", entry.node.name, entry.reason or entry.status)
        self.inner.started(entry, index, total)

    def finished(self, result: StageResult, index: int, total: int) -> None:
        self.results.append(result)
        self.timeline[result.name] = self._began[result.name], now()
        rows = f", {result.row_count:,} rows" if result.row_count is not None else ""
        level = _SEVERITY.get(result.outcome, logging.INFO)
        self._logger.log(
            level, "%s: %s in %.1f s%s: %s", result.name, result.outcome, result.seconds, rows, result.reason
        )
        if result.quarantined:
            self._logger.warning("%s: %s rows set aside", result.name, f"{result.quarantined:,}")
        for warning in result.warnings:
            self._logger.warning("%s: %s", result.name, warning)
        self.inner.finished(result, index, total)

    def note(self, message: str) -> None:
        self._logger.info("note: %s", message)
        self.inner.note(message)

    @contextmanager
    def progress(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:
        began, done = time.monotonic(), 0

        def counted(count: int) -> None:
            nonlocal done
            done += count
            advance(count)

        with self.inner.progress(description, total, unit) as advance:
            yield counted
        self._logger.debug("%s: %s %s in %.1f s", description, f"{done:,}", unit, time.monotonic() - began)

    def close(self, error: BaseException | None) -> None:
        """The last line: how the run ended."""
        counts = {result.outcome: 0 for result in self.results}
        for result in self.results:
            counts[result.outcome] += 1
        said = ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "nothing done"
        level = logging.INFO if error is None else logging.ERROR
        self._logger.log(level, "%s: %s", f"stopped by {type(error).__name__}" if error else "ended", said)
        for handler in self._logger.handlers:
            with suppress(OSError):  # closing writes what could not be written before
                handler.close()

    def _open(self) -> None:
        self._is_open = True
        with suppress(OSError):  # a full disk must not stop a run
            self.file.path.parent.mkdir(parents=True, exist_ok=True)
            _remove_oldest(self.file.path.parent, keep=KEPT_LOGS - 1)
            self._logger.addHandler(_Handler(self.file))
        self._logger.info("%s", self.header)


class _Handler(logging.FileHandler):
    def __init__(self, file: LogFile) -> None:
        super().__init__(file.path, encoding="utf-8")
        self.secrets = file.secrets
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record), self.secrets)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 # the name is logging's
        """A line that cannot be written is lost; the run goes on."""


@contextmanager
def run_log(inner: Listener, file: LogFile, header: str) -> Iterator[RunLog]:
    """Log a run, and keep only the newest logs beside it."""
    log = RunLog(inner, file, header)
    try:
        yield log
    except BaseException as error:
        log.close(error)
        raise
    log.close(None)


def _remove_oldest(folder: Path, keep: int) -> None:
    logs = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in logs[keep:]:
        path.unlink(missing_ok=True)
