"""`hnm test` and `hnm build`."""

import json
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hnm.cli.options import (
    ExcludeOption,
    FailFastOption,
    FullRefreshOption,
    JsonOption,
    LogLevel,
    LogLevelOption,
    ProjectOption,
    QuietOption,
    SelectOption,
    SelectorOption,
    StateRunOption,
    TargetOption,
    ThreadsOption,
    VarsOption,
    chosen,
    parse_vars,
)

if TYPE_CHECKING:
    from hnm.engine.testing import Verdict

STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}


class Kind(StrEnum):
    """What is tested: the published tables, or the code of the stages."""

    data = "data"
    unit = "unit"


def test(
    select: SelectOption = None,
    exclude: ExcludeOption = None,
    selector: SelectorOption = None,
    only: Annotated[Kind | None, typer.Option(help="The data of the published tables, or the stages' code.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
    variables: VarsOption = None,
) -> None:
    """Run unit tests, and the data tests of published tables. Builds nothing. Exit 1 when a test fails.

    Example: `hnm test --select negatives`
    """
    from hnm.api import Project

    loaded = Project.load(project, target, parse_vars(variables))
    names = chosen(select, selector), exclude or ()
    running = chain(
        loaded.unit_tests(*names) if only is not Kind.data else (),
        loaded.data_tests(*names) if only is not Kind.unit else (),
    )
    verdicts = list(running if as_json else _shown(running, quiet))
    if as_json:
        typer.echo(json.dumps({"ok": not _failed(verdicts), "tests": _as_rows(verdicts)}, indent=2))
    else:
        _print_counts(verdicts)
    if _failed(verdicts):
        raise typer.Exit(1)


def build(
    select: SelectOption = None,
    exclude: ExcludeOption = None,
    selector: SelectorOption = None,
    state_run: StateRunOption = None,
    full_refresh: FullRefreshOption = False,
    fail_fast: FailFastOption = False,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    log_level: LogLevelOption = LogLevel.info,
    project: ProjectOption = Path(),
    target: TargetOption = None,
    variables: VarsOption = None,
) -> None:
    """Run, after the unit tests: a stage that fails one is not built, and its descendants are skipped.

    Example: `hnm build --select negatives+`
    """
    from hnm.api import Project
    from hnm.cli.run import command, execute
    from hnm.engine.run import Invocation

    loaded = Project.load(project, target, parse_vars(variables))
    made = loaded.plan(chosen(select, selector), exclude or (), full_refresh, state_run)
    invocation = Invocation(command("build", full_refresh), fail_fast, True, threads)
    execute(loaded, made, invocation, as_json, quiet, log_level)


def _as_rows(verdicts: Iterable["Verdict"]) -> list[dict[str, Any]]:
    """Verdicts for programs."""
    return [
        {
            "kind": verdict.kind,
            "stage": verdict.stage,
            "name": verdict.name,
            "status": verdict.status,
            "rows": verdict.rows,
            "message": verdict.message,
            "where": str(verdict.where),
            "seconds": round(verdict.seconds, 3),
        }
        for verdict in verdicts
    ]


def _shown(verdicts: Iterable["Verdict"], quiet: bool) -> Iterator["Verdict"]:
    """Each verdict as a line when it is there, and below what did not pass, why."""
    from rich.text import Text

    from hnm.cli.console import stderr

    for verdict in verdicts:
        if not quiet or verdict.status in ("warn", "fail"):
            rows = f"  {verdict.rows:,} row{'' if verdict.rows == 1 else 's'}" if verdict.rows is not None else ""
            skipped = f"  {verdict.message}" if verdict.status == "skip" else ""
            line = Text.assemble(
                (f"{verdict.status:<5}", STYLES[verdict.status]),
                (f"{verdict.kind:<9}", "dim"),
                (f"{verdict.stage}  ", "bold"),
                verdict.name,
                (rows + skipped, "dim"),
            )
            stderr().print(line)
            if verdict.status in ("warn", "fail"):
                _print_why(verdict)
        yield verdict


def _print_why(verdict: "Verdict") -> None:
    from rich.text import Text

    from hnm.cli.console import stderr

    for line in verdict.message.splitlines():
        stderr().print(Text(f"      {line}"), soft_wrap=True)  # a wide table is wide
    stderr().print(Text(f"      at {verdict.where}", "cyan"), soft_wrap=True)


def _print_counts(verdicts: list["Verdict"]) -> None:
    from hnm.cli.console import stderr

    counts = {status: sum(verdict.status == status for verdict in verdicts) for status in STYLES}
    said = [f"[{STYLES[status]}]{count} {status}[/]" for status, count in counts.items() if count]
    stderr().print(f"\n{', '.join(said)}" if said else "no tests: see `tests:` and `unit_tests:` in pipelines/")


def _failed(verdicts: list["Verdict"]) -> bool:
    return any(verdict.status == "fail" for verdict in verdicts)
