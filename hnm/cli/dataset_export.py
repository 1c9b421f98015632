"""`hnm dataset export` and `hnm dataset import`: triplets for another trainer, and from elsewhere."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hnm.cli.dataset import VersionArgument, loaded_version
from hnm.cli.options import JsonOption, ProjectOption, QuietOption, TargetOption


class OnBadRows(StrEnum):
    """What happens to rows that cannot be used."""

    refuse = "refuse"
    quarantine = "quarantine"


StrategyOption = Annotated[
    list[str] | None,
    typer.Option("--strategy", help="Only triplets of this one; again for more, the first goes first."),
]
SplitOption = Annotated[list[str] | None, typer.Option("--split", help="Only this split; again for more.")]
WhereOption = Annotated[
    str | None, typer.Option("--where", help='A condition in SQL over the columns: --where "weight > 0.5".')
]


def export(
    version: VersionArgument,
    output: Annotated[Path, typer.Argument(help="The folder to write.")],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="triplet, n-tuple, labeled-pair, labeled-list, flagembedding, tevatron, msmarco, beir, trec, parquet, "
            "csv, jsonl or huggingface.",
        ),
    ] = "parquet",
    strategy: StrategyOption = None,
    split: SplitOption = None,
    where: WhereOption = None,
    negatives: Annotated[
        int | None, typer.Option(min=1, help="So many negatives of each pair or query at most.")
    ] = None,
    no_ids: Annotated[bool, typer.Option("--no-ids", help="Do not keep ids beside rows that have none.")] = False,
    rows_per_shard: Annotated[int, typer.Option(min=1, help="Rows of one file at most.")] = 500_000,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
    push_to_hub: Annotated[
        str | None,
        typer.Option("--push-to-hub", metavar="REPO", help="Then upload it to the Hugging Face hub, private."),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
) -> None:
    """Write a version of a dataset in the form that another trainer reads.

    Example: `hnm dataset export triplets@v1 ../v1 --format flagembedding --strategy paper`
    """
    from hnm.cli.run_view import RunView
    from hnm.dataset.export import Export
    from hnm.dataset.export import export as write
    from hnm.dataset.formats._format import Options
    from hnm.dataset.hub import push
    from hnm.dataset.record import read_record
    from hnm.dataset.selection import Selection

    loaded, found = loaded_version(project, target, version)
    selection = Selection(tuple(strategy or ()), tuple(split or ()), where)
    wanted = Export(form, selection, Options(negatives, ids=not no_ids), rows_per_shard, force)
    record = read_record(loaded.warehouse, found)
    with RunView(quiet) as view:
        told = write(found, output, wanted, loaded.manifest.config.name, loaded.settings, view, record)
    if push_to_hub:
        push(output, push_to_hub)
    if as_json:
        typer.echo(json.dumps({"folder": str(output), "rows": told.rows, "notes": told.notes}))
    elif not quiet:
        for note in told.notes:
            typer.echo(note, err=True)
        counts = ", ".join(f"{count:,} {name}" for name, count in told.rows.items())
        typer.echo(f"wrote {output}: {found.name} as {form}, rows: {counts}", err=True)


def import_(
    path: Annotated[Path, typer.Argument(help="A file, a pattern, or a folder of files of one format.")],
    name: Annotated[
        str, typer.Option("--name", help="What the negatives are called, and their strategy.")
    ] = "imported",
    split: Annotated[str | None, typer.Option("--split", help="The split of rows that name none.")] = None,
    on_bad_rows: Annotated[
        OnBadRows, typer.Option("--on-bad-rows", help="refuse the file for a bad row, or set such rows aside.")
    ] = OnBadRows.refuse,
    quiet: QuietOption = False,
    project: ProjectOption = Path(),
    target: TargetOption = None,
) -> None:
    """Bring triplets from elsewhere, to be measured and trained on beside this project's own.

    Reads JSON lines, Parquet, CSV or MS MARCO's triples in the forms of sentence-transformers, FlagEmbedding, Tevatron
    or `hnm dataset export`, and declares them as a source.

    Example: `hnm dataset import ../theirs.jsonl --name theirs`
    """
    from hnm.api import Project
    from hnm.cli.run_view import RunView
    from hnm.dataset.importing import import_triplets

    loaded = Project.load(project, target)
    with RunView(quiet) as view:
        done = import_triplets(loaded, path, name, on_bad_rows.value, split, view)
    typer.echo(f"{done.triplets:,} triplets of {done.queries:,} queries, {done.bad_rows:,} bad rows", err=True)
    for file in done.files:
        typer.echo(f"wrote {file.relative_to(loaded.manifest.root)}", err=True)
    typer.echo("put this into project.yml, then `hnm run`:", err=True)
    typer.echo(done.wanted)
