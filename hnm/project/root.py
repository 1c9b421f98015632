"""Where a project is: the folder that holds its project.yml."""

from pathlib import Path

from hnm.errors import Location, ProjectError

PROJECT_FILE = "project.yml"


def find_root(start: Path) -> Path:
    """The closest folder from `start` upwards that holds a project.yml. Raises ProjectError when there is none."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    raise ProjectError(
        "this is not an hnm project",
        where=Location(start),
        why=f"neither it nor a folder above it holds {PROJECT_FILE}",
        hint="`hnm init DIR` makes a project; or name one with `--project DIR`",
    )
