"""Options that several commands share, and how they become a project."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hnm.errors import Location, ProjectError

ProjectOption = Annotated[
    Path, typer.Option("--project", "-p", help="The project's folder, or one below it.", show_default="here")
]
TargetOption = Annotated[str | None, typer.Option("--target", "-t", help="The target to use, such as dev or prod.")]
VarsOption = Annotated[
    list[str] | None, typer.Option("--vars", help="Vars as YAML: '{evaluation_depth: 30}' or 'evaluation_depth: 30'.")
]
SelectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--select", "-s", help="Stages: name, +name, name+, tag:x, path:x, kind:sql, state:modified, wildcards, a,b."
    ),
]
ExcludeOption = Annotated[list[str] | None, typer.Option("--exclude", help="Stages to leave out.")]
SelectorOption = Annotated[
    list[str] | None, typer.Option("--selector", help="A selection that project.yml names under `selectors:`.")
]
StateRunOption = Annotated[
    str | None,
    typer.Option("--state-run", help="The run that `result:` is about, as the beginning of its id; else the last."),
]
FullRefreshOption = Annotated[bool, typer.Option("--full-refresh", help="Build selected stages even if fresh.")]
FailFastOption = Annotated[
    bool, typer.Option("--fail-fast", "-x", help="Stop at the first failure; the rest is skipped.")
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, help="Stages to build at the same time; else as in the settings.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Show failures only.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout, for programs.")]


class LogLevel(StrEnum):
    """From which level on the run's log file keeps what happens."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


LogLevelOption = Annotated[
    LogLevel, typer.Option("--log-level", help="What the run's log file in target/logs/ holds, from this level on.")
]


def chosen(select: list[str] | None, selectors: list[str] | None) -> list[str]:
    """What `--select` and `--selector` choose together."""
    return [*(select or ()), *(f"selector:{name}" for name in selectors or ())]


def parse_vars(texts: Iterable[str] | None) -> dict[str, Any]:
    """The vars of all `--vars` together; of those with one name, the last one counts, as of any option.

    Raises ProjectError when one is no mapping, or a name in it is no text to YAML, as `on`.
    """
    return {name: value for text in texts or () if text for name, value in _mapping(text).items()}


def _mapping(text: str) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        found = error
    if not isinstance(found, dict):
        raise ProjectError(
            "--vars is not a YAML mapping", where=Location(Path("--vars")), why=text, hint="--vars '{name: value}'"
        )
    for name in found:
        if not isinstance(name, str):
            raise ProjectError(
                f"names of vars are text, not {name!r}",
                where=Location(Path("--vars")),
                why=f"YAML reads a word like on, no or null, a number and a date as what they mean: {text}",
                hint="write the name in quotes: --vars '{\"on\": value}'",
            )
    return found
