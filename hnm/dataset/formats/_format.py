"""What a format is: which columns it is made of, and how it is written.

To add one, add a file to this folder with a `FORMAT` of the file's name (with hyphens); nothing else needs to know.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from hnm.errors import QueryError

if TYPE_CHECKING:
    import pyarrow as pa

    from hnm.dataset.examples import Examples
    from hnm.dataset.files import Kind
    from hnm.dataset.shards import Output

    Convert = Callable[[pa.RecordBatch], pa.RecordBatch]

TRIPLET = ("query_id", "positive_id", "negative_id", "query", "positive", "negative")


@dataclass(frozen=True)
class Options:
    """`negatives`: how many of each pair, or of each query, are taken at most; None for all. `ids`: keep them aside."""

    negatives: int | None = None
    ids: bool = True


@dataclass
class Told:
    """What an export has to say: rows written by split, and what was left out and why."""

    rows: dict[str, int]
    notes: list[str] = field(default_factory=list)

    def left_out(self, count: int, what: str) -> None:
        if count:
            self.notes.append(f"{count:,} {what}")


@dataclass(frozen=True)
class Format:
    """`summary`: one line for the documentation and the card. `needs`: columns that a stage must have.

    `loads_as`: the builder of Hugging Face `datasets` that reads the files, if there is one.
    """

    summary: str
    write: "Callable[[Examples, Output, Options], Told]"
    needs: tuple[str, ...] = TRIPLET
    loads_as: Literal["parquet", "json", "csv"] | None = None
    takes_negatives: bool = True
    columns: tuple[str, ...] = ()

    def check(self, options: Options) -> None:
        """Raises QueryError for an option that the format has no use for."""
        if options.negatives is not None and not self.takes_negatives:
            raise QueryError("this format does not gather negatives: there is no number of negatives to choose")


IDS_FOLDER = "ids"
"""The folder of the files that keep the ids of exports whose rows have none."""


def write_items(
    examples: "Examples",
    output: "Output",
    query: str,
    values: Mapping[str, int | None],
    kind: "Kind",
    row: "Convert",
    ids: "Convert | None" = None,
    prefix: str = "",
) -> dict[str, int]:
    """Write what `query` over the index finds, split by split, and return how many rows each has.

    `row`: from a batch of items to rows of the format. `ids`: likewise to the ids that are kept aside, row by row, in
    Parquet files of the same names in the folder `ids`.
    """
    from hnm.dataset.ahead import ahead
    from hnm.dataset.files import ParquetFile

    written = {}
    for split, count, items in examples.items(query, values):
        with (
            output.shards(split, kind, count, prefix) as shards,
            output.shards(split, ParquetFile, count, prefix, inside=IDS_FOLDER) as aside,
            output.reporter.progress(f"writing {prefix}{split}", count, "rows") as advance,
        ):
            for rows, kept in ahead((row(batch), ids and ids(batch)) for batch in items):
                shards.write(rows)
                if kept is not None:
                    aside.write(kept)
                advance(rows.num_rows)
        written[split] = count
    return written
