"""What a person sees of a plan and of a run: a line per stage, a progress bar for what takes long."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hnm.cli.columns import shortened
from hnm.cli.console import show_error, stderr, stdout
from hnm.context import Advance
from hnm.engine.plan import Entry, Plan
from hnm.engine.run import RunResult, StageResult
from hnm.masking import masked

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from hnm.api import Project

STYLES = {
    "built": "green", "fresh": "dim", "failed": "bold red", "skipped": "yellow", "blocked": "yellow",
    "run": "green", "check": "cyan",
}  # fmt: skip
PLAIN_PROGRESS_SECONDS = 10.0
LEAST_NAME = 28
BESIDE_NAME = 72  # columns for counts, outcome, rows and seconds, and some for the reason


def print_plan(plan: Plan) -> None:
    """A table of the plan on stdout, and a count."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("stage", no_wrap=True, overflow="ellipsis")
    table.add_column("kind", style="dim")
    table.add_column("status")
    table.add_column("rows", justify="right")
    table.add_column("why", overflow="fold")
    for entry in plan.entries:
        rows = "" if entry.rows is None else f"{entry.rows:,}"
        status = Text(entry.status, STYLES[entry.status])
        table.add_row(entry.node.name, entry.node.kind, status, rows, Text(entry.reason or "—"))
    stdout().print(table)
    counts = {status: sum(entry.status == status for entry in plan.entries) for status in ("run", "check", "blocked")}
    words = {"run": "to run", "check": "to check after their inputs", "blocked": "blocked"}
    said = [f"{count} {words[status]}" for status, count in counts.items() if count]
    fresh = len(plan.entries) - len(plan.stale())
    stderr().print(f"\n{', '.join([*said, f'{fresh} fresh'])}")


class RunView:
    """Watches a run on stderr; live bars on a terminal, plain lines elsewhere."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.console: Console = stderr()
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._name_width = 20
        self._secrets: tuple[str, ...] = ()
        self._whole_lines = not self.console.is_terminal and "COLUMNS" not in os.environ  # a log is searched, not read

    def __enter__(self) -> "RunView":
        if self.console.is_terminal and not self.quiet:
            from rich import progress

            self._progress = progress.Progress(
                progress.SpinnerColumn(),
                progress.TextColumn("{task.description}"),
                progress.BarColumn(bar_width=None),
                progress.TextColumn("{task.fields[rate]}"),
                progress.TimeElapsedColumn(),
                progress.TextColumn("left"),
                progress.TimeRemainingColumn(),
                console=self.console,
                transient=True,
                expand=True,
            )
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress:
            self._progress.stop()

    def header(self, project: "Project", plan: Plan) -> None:
        """What will run, in one line."""
        self._secrets = project.manifest.secrets
        names = [entry.node.name for entry in plan.entries]
        longest = max((len(name) for name in names), default=20)
        room = longest if self._whole_lines else self.console.width - BESIDE_NAME
        self._name_width = min(longest, max(room, LEAST_NAME))
        if not self.quiet:
            manifest = project.manifest
            self.console.print(
                f"[bold]{escape(manifest.config.name)}[/bold] · target {manifest.target} · {len(names)} "
                f"{'stage' if len(names) == 1 else 'stages'}, {len(plan.stale())} to build or check"
            )

    def started(self, entry: Entry, index: int, total: int) -> None:
        if self._progress and entry.status in ("run", "check"):
            self._tasks[entry.node.name] = self._progress.add_task(escape(entry.node.name), total=None, rate="")

    def finished(self, result: StageResult, index: int, total: int) -> None:
        if self._progress and result.name in self._tasks:
            self._progress.remove_task(self._tasks.pop(result.name))
        if self.quiet:
            return
        rows = f"{result.row_count:,} rows" if result.row_count is not None else ""
        seconds = f"{result.seconds:.1f}s" if result.seconds >= 0.05 else ""
        name = shortened(Text(result.name), self._name_width).plain
        line = Text.assemble(
            (f"{index:>3}/{total} ", "dim"),
            f"{name:<{self._name_width}} ",
            (f"{result.outcome:<7} ", STYLES[result.outcome]),
            f"{rows:>15} {seconds:>7}  ",
            (result.reason, "dim"),
        )
        if not self._whole_lines:
            line.truncate(self.console.width, overflow="ellipsis")
        self.console.print(line, soft_wrap=True)
        if result.quarantined:
            self._indented(f"set aside {result.quarantined:,} malformed: see `_hnm.quarantine`", "yellow")
        for warning in result.warnings:
            self._indented(masked(f"warning: {warning}", self._secrets), "yellow")

    def note(self, message: str) -> None:
        if not self.quiet:
            self._indented(masked(message, self._secrets), "dim")

    def _indented(self, message: str, style: str) -> None:
        self.console.print(Text(f"        {message}", style), soft_wrap=self._whole_lines)

    @contextmanager
    def progress(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:
        """A bar with rate and time left; without a terminal, a line every few seconds."""
        description = masked(description, self._secrets)
        if self.quiet:
            yield lambda count: None
        elif self._progress:
            yield from self._bar(self._progress, description, total, unit)
        else:
            yield from self._lines(description, total, unit)

    def _bar(self, bars: "Progress", description: str, total: int | None, unit: str) -> Iterator[Advance]:
        task = bars.add_task(f"  {escape(description)}", total=total, rate="")
        began, done = time.monotonic(), 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            rate = done / max(time.monotonic() - began, 1e-3)
            bars.update(task, advance=count, rate=f"{_rate(rate)} {unit}/s")

        try:
            yield advance
        finally:
            bars.remove_task(task)

    def _lines(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:
        began = said = time.monotonic()
        done = 0

        def advance(count: int) -> None:
            nonlocal done, said
            done += count
            now = time.monotonic()
            if now - said >= PLAIN_PROGRESS_SECONDS:
                said = now
                rate = done / (now - began)
                left = f", {(total - done) / rate:.0f}s left" if total and rate else ""
                of = f" of {total:,}" if total else ""
                self._indented(f"{description}: {done:,}{of} {unit}, {_rate(rate)}/s{left}", "dim")

        yield advance


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def print_failures(result: RunResult) -> None:
    """Every error of a run in full."""
    for stage in result.results:
        if stage.error:
            stderr().print()
            show_error(stage.error)
    blocked = [stage for stage in result.results if stage.outcome == "blocked"]
    if blocked:
        stderr().print(f"\n[yellow]blocked[/yellow]: {escape(blocked[0].name)} {escape(blocked[0].reason)}")
        stderr().print("  hint: select what it needs too, for example `--select +" + escape(blocked[0].name) + "`")


def print_outcome(result: RunResult) -> None:
    """One line that counts what happened."""
    counts = {outcome: sum(stage.outcome == outcome for stage in result.results) for outcome in STYLES}
    said = ", ".join(f"[{STYLES[name]}]{count} {name}[/]" for name, count in counts.items() if count)
    stderr().print(f"\n{said} in {result.seconds:.1f}s")
