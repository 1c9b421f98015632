"""`hnm retry`."""

from pathlib import Path
from typing import Annotated

import typer

from hnm.cli.options import (
    FailFastOption,
    JsonOption,
    LogLevel,
    LogLevelOption,
    ProjectOption,
    QuietOption,
    TargetOption,
    ThreadsOption,
    VarsOption,
    parse_vars,
)


def retry(
    run_id: Annotated[
        str | None, typer.Option("--run", help="The run to go on with, as the beginning of its id; else the last.")
    ] = None,
    fail_fast: FailFastOption = False,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    log_level: LogLevelOption = LogLevel.info,
    project: ProjectOption = Path(),
    target: TargetOption = None,
    variables: VarsOption = None,
) -> None:
    """Go on with a run: build what failed, was skipped or was not reached in it. Give the same --vars again.

    Example: `hnm retry`
    """
    from hnm.api import Project
    from hnm.cli.console import stderr
    from hnm.cli.run import command, execute
    from hnm.engine.run import Invocation

    loaded = Project.load(project, target, parse_vars(variables))
    found = loaded.retry(run_id)
    begun = f"run {found.run.invocation_id[:8]}, started {found.run.started_at[:19]} UTC"
    if found.gone:
        stderr().print(f"[yellow]no longer in the project[/yellow]: {', '.join(found.gone)}")
    if not found.plan.entries:
        stderr().print(f"nothing to retry: {begun}, left nothing unfinished")
    elif not quiet and not as_json:
        stderr().print(f"going on with {begun}")
    if found.plan.entries or as_json:
        name = "retry build" if found.unit_tests else "retry"
        invocation = Invocation(command(name, found.full_refresh), fail_fast, found.unit_tests, threads)
        execute(loaded, found.plan, invocation, as_json, quiet, log_level)
