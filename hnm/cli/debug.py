"""`hnm debug` and `hnm clean`."""

import platform
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from hnm.cli.options import ProjectOption, TargetOption
from hnm.errors import HnmError, Location


def debug(project: ProjectOption = Path(), target: TargetOption = None) -> None:
    """Check the set-up: versions, device, models, project and warehouse. Exit 1 when something is wrong.

    Example: `hnm debug`
    """
    from rich.markup import escape

    from hnm.cli.console import stdout
    from hnm.diagnosis import diagnose

    console = stdout()
    findings = [("python", f"{platform.python_version()} at {sys.prefix}", True), *diagnose(project, target)]
    for name, finding, ok in findings:
        mark = "[green]ok[/green] " if ok else "[red]no[/red] "
        console.print(mark, f"[bold]{name:<22}[/bold]", escape(finding), soft_wrap=True)
    if not all(ok for _, _, ok in findings):
        raise typer.Exit(1)


def clean(
    everything: Annotated[bool, typer.Option("--all", help="The target's warehouse too: all that was built.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
) -> None:
    """Remove target/ (compiled SQL, caches, logs), and with --all what was built.

    Example: `hnm clean`
    """
    from hnm.api import Project
    from hnm.warehouse.lock import run_lock

    loaded = Project.load(project, target)
    manifest = loaded.manifest
    folders = [folder for folder in [manifest.root / "target"] if folder.exists()]
    if everything and manifest.warehouse.exists():
        if not yes:
            typer.confirm(f"Remove everything built in {manifest.warehouse}?", abort=True, err=True)
        with run_lock(manifest.warehouse, "hnm clean --all"):
            loaded.warehouse.clear()
        typer.echo(f"removed what was built in {manifest.warehouse}", err=True)
    for folder in folders:
        try:
            shutil.rmtree(folder)
        except OSError as error:  # which names what is inside of the folder, without the folder
            from hnm.cli.refused_by_system import HINTS

            hint = HINTS.get(error.errno or 0)
            raise HnmError("cannot remove", where=Location(folder), why=error.strerror, hint=hint) from error
        typer.echo(f"removed {folder}", err=True)
    if not folders and not everything:
        typer.echo("nothing to remove", err=True)
