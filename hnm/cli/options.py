"""Options that several commands share, and how they become a project."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hnm.errors import Location, ProjectError

ProjectOption = Annotated[
    Path, typer.Option("--project", "-p", help="The project's folder, or one below it.", show_default="here")
]
TargetOption = Annotated[str | None, typer.Option("--target", "-t", help="The target to use, such as dev or prod.")]
VarsOption = Annotated[
    str | None, typer.Option("--vars", help="Vars as YAML: '{evaluation_depth: 30}' or 'evaluation_depth: 30'.")
]
SelectOption = Annotated[
    list[str] | None,
    typer.Option("--select", "-s", help="Stages: name, +name, name+, tag:x, path:x, kind:sql, wildcards, a,b."),
]
ExcludeOption = Annotated[list[str] | None, typer.Option("--exclude", help="Stages to leave out.")]
FullRefreshOption = Annotated[bool, typer.Option("--full-refresh", help="Build selected stages even if fresh.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout, for programs.")]


def parse_vars(text: str | None) -> dict[str, Any]:
    """The mapping in `--vars`. Raises ProjectError when it is none."""
    import yaml

    if not text:
        return {}
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        found = error
    if not isinstance(found, dict):
        raise ProjectError(
            "--vars is not a YAML mapping", where=Location(Path("--vars")), why=text, hint="--vars '{name: value}'"
        )
    return found
