"""`hnm plan` and `hnm run`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from hnm.masking import masked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hnm.api import Project
    from hnm.engine.plan import Plan
    from hnm.engine.run import Invocation, RunResult


def plan(
    select: SelectOption = None,
    exclude: ExcludeOption = None,
    selector: SelectorOption = None,
    state_run: StateRunOption = None,
    full_refresh: FullRefreshOption = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 when anything is stale.")] = False,
    as_json: JsonOption = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
    variables: VarsOption = None,
) -> None:
    """Say what a run would do, stage by stage, and why. Touches nothing.

    Example: `hnm plan --select +negatives`
    """
    from hnm.api import Project
    from hnm.cli.run_view import print_plan

    loaded = Project.load(project, target, parse_vars(variables))
    made = loaded.plan(chosen(select, selector), exclude or (), full_refresh, state_run)
    if as_json:
        typer.echo(json.dumps(_plan_as_json(made), indent=2))
    elif made.entries:
        print_plan(made)
    else:
        _say_nothing_selected()
    if check and made.stale():
        raise typer.Exit(1)


def run(
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
    """Build what is stale, in order, and publish each stage when it is whole.

    Example: `hnm run --select negatives+`
    """
    from hnm.api import Project
    from hnm.engine.run import Invocation

    loaded = Project.load(project, target, parse_vars(variables))
    made = loaded.plan(chosen(select, selector), exclude or (), full_refresh, state_run)
    execute(
        loaded,
        made,
        Invocation(command("run", full_refresh), fail_fast, threads=threads),
        as_json,
        quiet,
        log_level,
    )


def execute(
    loaded: "Project", made: "Plan", invocation: "Invocation", as_json: bool, quiet: bool, log_level: LogLevel
) -> None:
    """Run a plan, show what happens, and leave with 1 when anything failed."""
    from hnm.cli.run_view import RunView, print_failures, print_outcome
    from hnm.cli.summary import print_summary

    if not made.entries:
        _say_nothing_selected()
        quiet = True
    with RunView(quiet=quiet or as_json) as view:
        view.header(loaded, made)
        result = loaded.run(made, view, invocation, log_level.value)
    if as_json:
        typer.echo(json.dumps(_result_as_json(result, loaded.manifest.secrets), indent=2, default=str))
    print_failures(result)
    if not quiet and not as_json:
        print_outcome(result)
        if result.ok:
            print_summary(loaded, brief=all(stage.outcome == "fresh" for stage in result.results))
    if not result.ok:
        raise typer.Exit(1)


def command(name: str, full_refresh: bool) -> str:
    """What is kept with a run as its command."""
    return f"{name} --full-refresh" if full_refresh else name


def _say_nothing_selected() -> None:
    from hnm.cli.console import stderr

    stderr().print("nothing to do: the selection is empty")


def _plan_as_json(made: "Plan") -> list[dict[str, object]]:
    return [
        {
            "stage": entry.node.name,
            "kind": entry.node.kind,
            "status": entry.status,
            "rows": entry.rows,
            "reasons": list(entry.reasons),
        }
        for entry in made.entries
    ]


def _result_as_json(result: "RunResult", secrets: "Sequence[str]") -> dict[str, object]:
    return {
        "invocation_id": result.invocation_id,
        "ok": result.ok,
        "seconds": round(result.seconds, 3),
        "stages": [
            {
                "stage": stage.name,
                "outcome": stage.outcome,
                "reason": stage.reason,
                "rows": stage.row_count,
                "seconds": round(stage.seconds, 3),
                "quarantined": stage.quarantined,
                "warnings": [masked(str(warning), secrets) for warning in stage.warnings],
                "error": str(stage.error) if stage.error else None,
            }
            for stage in result.results
        ],
    }
