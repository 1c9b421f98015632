"""`hnm parse` and `hnm compile`."""

from pathlib import Path
from typing import Annotated

import typer

from hnm.cli.options import ProjectOption, TargetOption, VarsOption, parse_vars


def parse(project: ProjectOption = Path(), target: TargetOption = None, variables: VarsOption = None) -> None:
    """Read and check the whole project without building anything, and write target/manifest.json.

    Example: `hnm parse`
    """
    from hnm.api import Project
    from hnm.cli.console import stderr

    loaded = Project.load(project, target, parse_vars(variables))
    loaded.write_manifest()
    nodes = loaded.manifest.nodes.values()
    kinds = {kind: sum(node.kind == kind for node in nodes) for kind in ("source", "sql", "python")}
    stderr().print(
        f"[green]ok[/green]: {kinds['source']} source tables, {kinds['sql']} SQL stages, "
        f"{kinds['python']} Python stages"
    )


def compile_(
    stage: Annotated[str | None, typer.Argument(help="A SQL stage to print; all are written in any case.")] = None,
    project: ProjectOption = Path(),
    target: TargetOption = None,
    variables: VarsOption = None,
) -> None:
    """Write every SQL stage as DuckDB will see it to target/compiled/, or print one.

    Example: `hnm compile negatives`
    """
    from hnm.api import Project

    loaded = Project.load(project, target, parse_vars(variables))
    written = loaded.write_compiled()
    if stage is None:
        folder = written[0].parent if written else "target/compiled"
        typer.echo(f"wrote {len(written)} files to {folder}", err=True)
    else:
        typer.echo(loaded.compiled(stage))
