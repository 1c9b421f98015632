"""`hnm ls`."""

import json
from pathlib import Path

import typer

from hnm.cli.options import (
    ExcludeOption,
    JsonOption,
    ProjectOption,
    SelectOption,
    SelectorOption,
    StateRunOption,
    TargetOption,
    VarsOption,
    chosen,
    parse_vars,
)


def ls(
    select: SelectOption = None,
    exclude: ExcludeOption = None,
    selector: SelectorOption = None,
    state_run: StateRunOption = None,
    as_json: JsonOption = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
    variables: VarsOption = None,
) -> None:
    """List stages and source tables, one a line, in the order in which they run.

    Example: `hnm ls --select kind:lance`
    """
    from hnm.api import Project

    loaded = Project.load(project, target, parse_vars(variables))
    names = loaded.select(chosen(select, selector), exclude or (), loaded.survey(state_run))
    nodes = [loaded.manifest.nodes[name] for name in names]
    if as_json:
        listed = [
            {
                "name": node.name,
                "kind": node.kind,
                "materialized": node.materialized,
                "description": node.config.description,
                "depends_on": list(node.depends_on),
                "pinned": list(node.pinned),
                "tags": list(node.config.tags),
            }
            for node in nodes
        ]
        typer.echo(json.dumps(listed, indent=2))
        return
    for node in nodes:
        typer.echo(node.name)
