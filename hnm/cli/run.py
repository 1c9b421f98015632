"""`hnm plan` and `hnm run`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hnm.cli.options import (
    ExcludeOption,
    FullRefreshOption,
    JsonOption,
    ProjectOption,
    SelectOption,
    TargetOption,
    VarsOption,
    parse_vars,
)

if TYPE_CHECKING:
    from hnm.engine.plan import Plan
    from hnm.engine.run import RunResult


def plan(
    select: SelectOption = None,
    exclude: ExcludeOption = None,
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

    made = Project.load(project, target, parse_vars(variables)).plan(select or (), exclude or (), full_refresh)
    if as_json:
        typer.echo(json.dumps(_plan_as_json(made), indent=2))
    else:
        print_plan(made)
    if check and made.stale():
        raise typer.Exit(1)


def run(
    select: SelectOption = None,
    exclude: ExcludeOption = None,
    full_refresh: FullRefreshOption = False,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show failures only.")] = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
    variables: VarsOption = None,
) -> None:
    """Build what is stale, in order, and publish each stage when it is whole.

    Example: `hnm run --select negatives+`
    """
    from hnm.api import Project
    from hnm.cli.run_view import RunView, print_failures, print_outcome
    from hnm.cli.summary import print_summary

    loaded = Project.load(project, target, parse_vars(variables))
    made = loaded.plan(select or (), exclude or (), full_refresh)
    with RunView(quiet=quiet or as_json) as view:
        view.header(loaded, made)
        result = loaded.run(made, view)
    if as_json:
        typer.echo(json.dumps(_result_as_json(result), indent=2, default=str))
    print_failures(result)
    if not quiet and not as_json:
        print_outcome(result)
        if result.ok:
            print_summary(loaded, brief=all(stage.outcome == "fresh" for stage in result.results))
    if not result.ok:
        raise typer.Exit(1)


def _plan_as_json(made: "Plan") -> list[dict[str, object]]:
    return [
        {"stage": entry.node.name, "kind": entry.node.kind, "status": entry.status, "reasons": list(entry.reasons)}
        for entry in made.entries
    ]


def _result_as_json(result: "RunResult") -> dict[str, object]:
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
                "warnings": [str(warning) for warning in stage.warnings],
                "error": str(stage.error) if stage.error else None,
            }
            for stage in result.results
        ],
    }
