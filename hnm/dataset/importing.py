"""Bring triplets from elsewhere into a project: read them once, then declare them as a source with what reads it."""

import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

from hnm.context import BadRows, Context, Reporter
from hnm.errors import Location, ProjectError
from hnm.inputs import Inputs
from hnm.project.config_base import NAME
from hnm.readers.triplets import TripletsParams, triplets

if TYPE_CHECKING:
    from hnm.api import Project

HEAD = "# Negatives from elsewhere, as candidates of this project's queries: written by `hnm dataset import`.\n"


@dataclass(frozen=True)
class Imported:
    """What was found in the files, and what was written. `wanted`: what project.yml must say, as YAML."""

    triplets: int
    queries: int
    bad_rows: int
    files: tuple[Path, ...]
    wanted: str


def import_triplets(
    project: "Project", path: Path, name: str, on_bad_rows: BadRows, split: str | None, reporter: Reporter
) -> Imported:
    """Read all of `path`, then write `pipelines/NAME.yml` and its SQL; nothing is written when the files are refused.

    Memory: a batch, and what finds repeated rows (about 200 bytes a triplet). Raises ProjectError when the name is
    taken or none, SourceError when the files cannot be read or have bad rows that are refused.
    """
    root = project.manifest.root
    files = {
        root / "pipelines" / f"imported_{name}.yml": HEAD + _pipeline(path.resolve(), name, on_bad_rows, split),
        root / "sql" / f"candidates_{name}.sql": f"{{{{ imported_candidates('{name}') }}}}\n",
        root / "sql" / f"unknown_{name}.sql": f"{{{{ imported_unknown('{name}') }}}}\n",
    }
    if not re.fullmatch(NAME, name):
        raise ProjectError(f"{name!r} is no name", hint="letters, digits and _, as in the name of a stage")
    taken = [file for file in files if file.exists()]
    if taken or f"candidates_{name}" in project.manifest.nodes:
        where = Location(taken[0]) if taken else project.manifest.nodes[f"candidates_{name}"].where
        raise ProjectError(f"there is already something called {name!r}", where=where, hint="choose another --name")
    strategies = project.manifest.config.vars.get("strategies") or []
    if any(isinstance(entry, dict) and entry.get("name") == name for entry in strategies):
        why = "the imported negatives become a strategy of that name"
        raise ProjectError(f"there is already a strategy {name!r}", why=why, hint="choose another --name")
    if "texts" not in project.manifest.nodes:
        hint = "import into a project of `hnm init`, or read the file as a source of format `triplets`"
        raise ProjectError("the project has no stage 'texts' to find queries and documents by", hint=hint)
    count, queries, bad = _read(path.resolve(), root, on_bad_rows, split, reporter)
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    return Imported(count, queries, bad, tuple(files), _wanted(project, name))


def _read(path: Path, root: Path, on_bad_rows: BadRows, split: str | None, reporter: Reporter) -> tuple[int, int, int]:
    """How many triplets, queries and bad rows there are."""
    import pyarrow.compute as pc

    params = TripletsParams(path=str(path), table="triplets", on_bad_rows=on_bad_rows, split=split)
    with TemporaryDirectory() as folder:
        context = Context(stage="import", root=root, workdir=Path(folder), reporter=reporter)
        count, queries = 0, set[str]()
        for batch in triplets(Inputs.of(), params, context):
            count += batch.num_rows
            queries.update(pc.unique(batch["query_id"]).to_pylist())
    return count, len(queries), context.bad_row_count


def _pipeline(path: Path, name: str, on_bad_rows: BadRows, split: str | None) -> str:
    options: dict[str, Any] = {"path": str(path), "on_bad_rows": on_bad_rows} | ({"split": split} if split else {})
    tables: dict[str, dict[str, Any]] = {"triplets": {}}
    declared = {
        "sources": [{"name": name, "format": "triplets", "options": options, "tables": tables}],
        "stages": [
            {
                "name": f"candidates_{name}",
                "description": f"The negatives of {name} whose query and document this project has",
                "unique_key": ["query_id", "doc_id"],
            },
            {
                "name": f"unknown_{name}",
                "description": f"The triplets of {name} whose query or negative this project does not have",
                "tests": [{"row_count": {"min": 0, "max": 0, "severity": "warn"}}],
            },
        ],
    }
    return yaml.safe_dump(declared, sort_keys=False, allow_unicode=True)


def _wanted(project: "Project", name: str) -> str:
    """The lines of project.yml that make a strategy of what was imported."""
    imported = [*project.manifest.config.vars.get("imported", []), name]
    return (
        f"vars:\n  imported: [{', '.join(imported)}]\n  strategies:\n"
        f"    # those that are there, and:\n    - {{name: {name}, rule: imported}}\n"
    )
