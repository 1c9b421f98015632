"""Write a version of a dataset in the form that another trainer reads."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hnm.context import Reporter, Settings, SilentReporter
from hnm.dataset.card import CARD, Exported, card, is_export
from hnm.dataset.examples import examples_of
from hnm.dataset.find import DatasetVersion
from hnm.dataset.formats import find_format
from hnm.dataset.formats._format import Options, Told
from hnm.dataset.selection import Selection
from hnm.dataset.shards import Output
from hnm.errors import HnmError, Location, QueryError
from hnm.writers._aside import aside

if TYPE_CHECKING:
    from hnm.dataset.record import Record

ROWS_PER_SHARD = 500_000


@dataclass(frozen=True)
class Export:
    """What is to be written. `rows_per_shard`: rows of one file at most. `force`: replace an earlier export."""

    format_name: str = "parquet"
    selection: Selection = field(default_factory=Selection)
    options: Options = field(default_factory=Options)
    rows_per_shard: int = ROWS_PER_SHARD
    force: bool = False


def export(
    version: DatasetVersion,
    folder: Path,
    wanted: Export,
    project: str,
    settings: Settings | None = None,
    reporter: Reporter | None = None,
    record: "Record | None" = None,
) -> Told:
    """Write `version` to `folder`, which appears when all is written; the same content gives the same bytes.

    Memory: ids of a bounded part of the index (the rest spills beside the folder) and batches of texts, whatever the
    number of rows. `record` goes into the card. Raises HnmError when the folder is taken, when the selection is empty
    or makes no sense, and when the stage lacks columns that the format is made of.
    """
    form = find_format(wanted.format_name)
    form.check(wanted.options)
    _check_folder(folder, wanted.force)
    shown = reporter or SilentReporter()
    with (
        aside(folder, replace=wanted.force) as written,
        examples_of(
            version.open(), version.stage, wanted.selection, settings or Settings(), near=written.parent
        ) as examples,
    ):
        examples.check_needs(form.needs, f"the format {wanted.format_name}")
        if not len(examples):
            raise QueryError(f"{version.name}: there is nothing to export", why=f"selected: {wanted.selection}")
        written.mkdir()
        told = form.write(examples, Output(written, wanted.rows_per_shard, shown), wanted.options)
        if not told.rows:
            why = "; ".join(told.notes) or "no query has a negative"
            raise QueryError(f"{version.name}: there is nothing to export", why=why)
        exported = Exported(project, version, wanted.format_name, form, wanted.selection, wanted.options, told, record)
        (written / CARD).write_text(card(exported), encoding="utf-8")
    return told


def _check_folder(folder: Path, force: bool) -> None:
    """Raises HnmError unless `folder` is new, empty, or an export that may be replaced."""
    where = Location(folder)
    if folder.is_file() or folder.is_symlink():
        raise HnmError("an export is a folder", where=where, why="there is a file of that name")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not force:
        raise HnmError(
            "the folder is not empty", where=where, hint="name a new folder, or replace an export with --force"
        )
    if not is_export(folder):
        raise HnmError("--force replaces exports only", where=where, why=f"its {CARD} is none that an export wrote")
