"""`hnm dataset`: versions of triplets and of every other Lance stage."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hnm.cli.options import JsonOption, ProjectOption, TargetOption, VarsOption, parse_vars
from hnm.cli.rows import Format

if TYPE_CHECKING:
    from hnm.api import Project
    from hnm.dataset.find import DatasetVersion

app = typer.Typer(
    name="dataset",
    help="Versions of training datasets: name, compare, verify and restore them, and build them again.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
# Commands of other files join here: `app.command("name")(module.function)`.

_REFERENCE = (
    "STAGE@VERSION; STAGE alone for its current version, VERSION alone for one of `triplets`. "
    "A version is a tag, a number, or the beginning of a digest."
)
VersionArgument = Annotated[str, typer.Argument(metavar="VERSION", help=_REFERENCE)]


def loaded_version(
    project: Path, target: str | None, reference: str, stage: str | None = None, removed: bool = False
) -> "tuple[Project, DatasetVersion]":
    """The project, and the version that `reference` means. `stage`: whose version it is when it names none.

    `removed`: also a version whose rows are gone.
    """
    from hnm.api import Project
    from hnm.dataset.find import DEFAULT_STAGE, find_reference

    loaded = Project.load(project, target)
    return loaded, find_reference(loaded.warehouse, reference, loaded.manifest.nodes, stage or DEFAULT_STAGE, removed)


@app.command("list")
def list_(as_json: JsonOption = False, project: ProjectOption = Path(), target: TargetOption = None) -> None:
    """List the stages that keep versions: how many, which is current, tags.

    Example: `hnm dataset list`
    """
    from hnm.api import Project
    from hnm.cli.dataset_view import print_stages
    from hnm.dataset.find import stages_with_versions, versions_of

    warehouse = Project.load(project, target).warehouse
    found = {name: versions_of(warehouse, name) for name in stages_with_versions(warehouse)}
    if as_json:
        _echo({name: _log_json(versions) for name, versions in found.items()})
    else:
        print_stages(found)


@app.command()
def log(
    stage: Annotated[str, typer.Argument(help="A Lance stage.")] = "triplets",
    as_json: JsonOption = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
) -> None:
    """List every version of a stage that was ever published, the newest first, and by how many rows each differs.

    Example: `hnm dataset log triplets`
    """
    from hnm.api import Project
    from hnm.cli.dataset_view import print_log
    from hnm.dataset.find import versions_of

    found = versions_of(Project.load(project, target).warehouse, stage)
    if as_json:
        _echo(_log_json(found))
    else:
        print_log(found)


@app.command()
def show(
    version: VersionArgument = "triplets",
    as_json: JsonOption = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
) -> None:
    """Show what made a version: every stage above it as a tree, packages, commit, seeds, and its statistics.

    Example: `hnm dataset show triplets@v1`
    """
    from dataclasses import asdict

    from hnm.cli.dataset_view import print_version
    from hnm.dataset.record import read_record

    loaded, found = loaded_version(project, target, version, removed=True)
    record = read_record(loaded.warehouse, found)
    if as_json:
        _echo(_version_json(found) | {"record": asdict(record) if record else None})
    else:
        print_version(found, record)


@app.command()
def tag(
    name: Annotated[str, typer.Argument(help="The name to give, such as v1, prod or 2026-01-31.")],
    version: VersionArgument = "triplets",
    force: Annotated[
        bool, typer.Option("--force", help="Also when the name is another version's, which loses it.")
    ] = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
) -> None:
    """Give a version a name. A tagged version is never removed.

    Example: `hnm dataset tag v1 triplets@3`
    """
    from hnm.dataset.tags import tag as give

    loaded, found = loaded_version(project, target, version)
    give(loaded.warehouse, found, name, force)
    _say(f"{found.stage}@{name} is version {found.lance_version}, {found.row_count:,} rows")


@app.command()
def untag(
    reference: Annotated[str, typer.Argument(metavar="TAG", help="STAGE@TAG, or a tag of `triplets`.")],
    project: ProjectOption = Path(),
    target: TargetOption = None,
) -> None:
    """Take a name away. The version stays until `hnm gc` or `hnm dataset rm` removes it.

    Example: `hnm dataset untag v1`
    """
    from hnm.api import Project
    from hnm.dataset.find import parse_reference
    from hnm.dataset.tags import untag as take

    loaded = Project.load(project, target)
    stage, name = parse_reference(reference, ())
    found = take(loaded.warehouse, stage, name or "")
    _say(f"version {found.lance_version} of {stage} is no longer called {name}")


@app.command()
def diff(
    before: VersionArgument,
    after: Annotated[
        str | None, typer.Argument(metavar="AFTER", help="The other version; by default the current one.")
    ] = None,
    rows: Annotated[bool, typer.Option("--rows", help="Write every row that differs, as a table.")] = False,
    form: Annotated[Format, typer.Option("--format", "-f", help="How --rows writes it.")] = Format.table,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file for --rows, instead of stdout.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Rows of a table; 0 for all.")] = 50,
    examples: Annotated[int, typer.Option("--examples", min=0, help="How many of each kind of change to show.")] = 2,
    as_json: JsonOption = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
) -> None:
    """Compare two versions: what was added, removed, replaced, moved or flipped, the statistics, and the cause.

    Example: `hnm dataset diff v1 v2`
    """
    from hnm.cli.dataset_outcome_view import diff_json, print_diff
    from hnm.cli.dataset_view import working
    from hnm.cli.rows import write_rows
    from hnm.dataset.diff import changed_rows
    from hnm.dataset.diff import diff as compare

    loaded, old = loaded_version(project, target, before)
    new = loaded_version(project, target, after or old.stage, old.stage)[1]
    node = loaded.manifest.nodes.get(old.stage)
    key = node.config.key if node else ()
    if rows:
        with changed_rows(loaded.warehouse, old, new, key, loaded.settings) as found:
            write_rows(found, form, output, limit)
        return
    with working(f"comparing {old.name} with {new.name}"):
        result = compare(loaded.warehouse, old, new, key, loaded.settings, examples)
    if as_json:
        _echo(diff_json(result))
    else:
        print_diff(result)


@app.command()
def verify(
    version: VersionArgument = "triplets",
    everything: Annotated[bool, typer.Option("--all", help="Every version of every stage.")] = False,
    as_json: JsonOption = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
) -> None:
    """Compute the digest of the stored rows anew, and compare it with the published one. Exits with 1 on damage.

    Example: `hnm dataset verify triplets@v1`
    """
    from hnm.api import Project
    from hnm.cli.dataset_outcome_view import print_verdict
    from hnm.cli.dataset_view import working
    from hnm.dataset.find import stages_with_versions, versions_of
    from hnm.dataset.verify import verify as check

    if everything:
        loaded = Project.load(project, target)
        known = [versions_of(loaded.warehouse, name) for name in stages_with_versions(loaded.warehouse)]
        chosen = [entry for versions in known for entry in versions if entry.here or entry.lost]
        if not chosen:
            _say("there is no version to verify; `hnm run` builds the stages with `materialized: lance`")
    else:
        loaded, found = loaded_version(project, target, version)
        chosen = [found]
    verdicts = []
    for entry in chosen:
        with working(f"reading {entry.name}"):
            verdicts.append(check(loaded.warehouse, entry, loaded.settings))
        if not as_json:
            print_verdict(verdicts[-1])
    if as_json:
        _echo(
            [
                _version_json(verdict.version)
                | {"outcome": verdict.outcome, "found": verdict.found, "why": verdict.why}
                | {"same_content": [twin.lance_version for twin in verdict.twins]}
                for verdict in verdicts
            ]
        )
    if any(verdict.outcome == "damaged" for verdict in verdicts):
        raise typer.Exit(1)


@app.command()
def restore(version: VersionArgument, project: ProjectOption = Path(), target: TargetOption = None) -> None:
    """Bring a version back as what its stage is now. What is built from the stage is stale then.

    Example: `hnm dataset restore v1`
    """
    from hnm.cli.dataset_outcome_view import print_restored
    from hnm.cli.dataset_view import working
    from hnm.dataset.restore import restore as bring_back
    from hnm.engine.run import Invocation

    loaded, found = loaded_version(project, target, version)
    with working(f"checking {found.name}"):
        done = bring_back(loaded.warehouse, found, loaded.settings, loaded.manifest.target, Invocation().id)
    print_restored(loaded, done)


@app.command()
def reproduce(
    version: VersionArgument = "triplets",
    everything: Annotated[
        bool, typer.Option("--all", help="Build Python stages above it too, such as embeddings, and not only SQL.")
    ] = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
    variables: VarsOption = None,
) -> None:
    """Build a version again, aside, from code and data that are as they were. Exits with 1 when it differs.

    Example: `hnm dataset reproduce triplets@v1`
    """
    from hnm.api import Project
    from hnm.cli.dataset_outcome_view import print_reproduction
    from hnm.cli.run_view import RunView
    from hnm.dataset.record import read_record
    from hnm.dataset.recorded_code import way_back
    from hnm.dataset.reproduce import reproduce as build_again

    given = parse_vars(variables)
    _, found = loaded_version(project, target, version)
    loaded = Project.load(project, target, given)
    with RunView() as view:
        result = build_again(loaded, found, view, everything, given)
    record = read_record(loaded.warehouse, found)
    print_reproduction(result, way_back(loaded.manifest.root, found, record) if record else None)
    if not result.equal:
        raise typer.Exit(1)


@app.command()
def rm(version: VersionArgument, project: ProjectOption = Path(), target: TargetOption = None) -> None:
    """Remove the rows of one version that is neither current, nor tagged, nor needed by a model. Its record stays.

    Example: `hnm dataset rm triplets@3`
    """
    from hnm.dataset.remove import remove

    loaded, found = loaded_version(project, target, version)
    remove(loaded.warehouse, found, loaded.manifest.nodes.values())
    _say(f"removed {found.name}, {found.row_count:,} rows")


def _say(text: str) -> None:
    from hnm.cli.console import stderr

    stderr().print(text, markup=False, soft_wrap=True)


def _echo(content: Any) -> None:
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False, default=str))


def _log_json(versions: "tuple[DatasetVersion, ...]") -> list[dict[str, Any]]:
    from hnm.dataset.find import damaged_versions

    damaged = damaged_versions(versions)
    return [_version_json(version) | {"damaged": version.lance_version in damaged} for version in versions]


def _version_json(version: "DatasetVersion") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(version)
