"""Options that sources of several formats share."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from hnm.context import BadRows
from hnm.errors import nearest
from hnm.readers._files import matching
from hnm.readers._tables import CORPUS, JUDGMENTS, QUERIES, Table, impressions
from hnm.transform import Params


class SourceParams(Params):
    """Options of every source that is read from files.

    `path`: where they are, relative to the project unless absolute. `on_bad_rows`: refuse the source for a row that
    cannot be used, or set such rows aside in a quarantine.
    """

    path: str
    on_bad_rows: BadRows = "refuse"


class MappedParams(SourceParams):
    """Options of a table in a file with named columns (CSV, JSON lines, Parquet).

    `path` may be a glob. `columns`: {our column: the file's column} where the names differ. Columns of a corpus that
    are none of ours become its metadata. `session_salt`: put before a session's id ahead of hashing it; take it from
    the environment, since ids that can be guessed can be found from an unsalted hash.
    """

    table: Literal["corpus", "queries", "judgments", "impressions"]
    columns: dict[str, str] = Field(default_factory=dict)
    session_salt: str = ""

    @model_validator(mode="after")
    def _columns_are_known(self) -> Self:
        known = self._table().sources
        for name in self.columns:
            if name not in known:
                hint = nearest(name, known) or f"it has {', '.join(known)}"
                raise ValueError(f"columns: {self.table} has no column {name!r}; {hint}")
        return self

    def _table(self) -> Table:
        tables = {"corpus": CORPUS, "queries": QUERIES, "judgments": JUDGMENTS}
        return tables.get(self.table) or impressions(self.session_salt)

    def mapped_table(self) -> Table:
        """The table that is read, with the names that the file uses."""
        return self._table().mapped(self.columns)


def source_files(params: SourceParams, root: Path) -> list[Path]:
    """The files of a source whose `path` is a file or a glob. Raises SourceError when there is none."""
    return matching(root, params.path)
