"""The tables that a source can give: their columns, and what makes a row of each unusable.

Nothing here depends on a file format.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from hnm.errors import Location, SourceError, nearest
from hnm.readers import _values
from hnm.readers._values import BadValueError, identifier, optional, text

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    `type`: Arrow's name of its type. `required`: a file without it is refused. `absent`: what is parsed for a row that
    does not have it. `renamed`: what the file calls it, when that is another name.
    """

    name: str
    type: str
    parse: Callable[[object], object]
    required: bool = False
    absent: object = None
    renamed: str | None = None

    @property
    def source(self) -> str:
        return self.renamed or self.name


def _fine(row: Row) -> None:
    """The check of a table whose rows are good when their columns are."""


@dataclass(frozen=True)
class Table:
    """A table: its columns and the rules for its rows.

    `check`: raises BadValueError for a row whose columns are good but which as a whole is not.
    `key`: the columns that no two rows may share. `agree`: when given, a second row with the same key is dropped as a
    repetition if it has the same values here, and is bad if not. `collects`: fields of the file that are no column go
    into `metadata`. `private`: columns that must not be shown as they stand in the file.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    agree: tuple[str, ...] = ()
    check: Callable[[Row], None] = _fine
    collects: bool = False
    private: tuple[str, ...] = ()
    may_be_empty: bool = False

    def mapped(self, names: Mapping[str, str]) -> "Table":
        """The table with the names that a file uses: {our name: its name}."""
        columns = tuple(replace(column, renamed=names.get(column.name)) for column in self.columns)
        return replace(self, columns=columns)

    @property
    def sources(self) -> dict[str, str]:
        """{our name: the file's name} for every column."""
        return {column.name: column.source for column in self.columns}

    def schema(self) -> "pa.Schema":
        import pyarrow as pa

        return pa.schema([(column.name, pa.type_for_alias(column.type)) for column in self.columns])

    def row(self, values: Mapping[str, object]) -> Row:
        """The row that the fields of one record make. Raises BadValueError."""
        if self.collects:
            values = self._collected(values)
        row: Row = {}
        for column in self.columns:
            try:
                row[column.name] = column.parse(values.get(column.source, column.absent))
            except BadValueError as error:
                raise BadValueError(f"{column.name} {error}") from None
        self.check(row)
        return row

    def _collected(self, values: Mapping[str, object]) -> Mapping[str, object]:
        taken = self.sources
        others = {name: value for name, value in values.items() if name not in taken.values()}
        try:
            written = _values.metadata(values.get(taken["metadata"]), others)
        except BadValueError as error:
            raise BadValueError(f"metadata {error}") from None
        return {**values, taken["metadata"]: written}

    def public(self, values: Mapping[str, object]) -> Mapping[str, object]:
        """What may be shown of a bad row: all fields, or where some are private, the other columns that are read.

        What a log has beside them may be personal too, such as an address, or the session's id under another name.
        """
        if not self.private:
            return values
        shown = {source for name, source in self.sources.items() if name not in self.private}
        return {name: value for name, value in values.items() if name in shown}

    def check_fields(self, fields: Collection[str], where: Location, required_only: bool = False) -> None:
        """Raise SourceError when a file lacks a column that is required or that the mapping names."""
        for column in self.columns:
            wanted = column.required or (column.renamed is not None and not required_only)
            if wanted and column.source not in fields:
                names = ", ".join(sorted(fields)).encode("utf-8", "backslashreplace").decode()
                raise SourceError(
                    f"{self.name}: no column {column.source!r} in the file",
                    where=where,
                    why=f"the file has: {names or 'none'}",
                    hint=nearest(column.source, fields)
                    or f"name it in the source's options: `columns: {{{column.name}: <a column of the file>}}`",
                )


def check_names(names: Sequence[str], where: Location) -> None:
    """Raise SourceError when two columns of a file have one name: which of them is meant?"""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(f"two columns are called {twice[0]!r}", where=where, hint="give each column its own name")


def _has_content(row: Row) -> None:
    if not row["title"].strip() and not row["text"].strip():
        raise BadValueError("document with neither title nor text")


def _has_text(row: Row) -> None:
    if not row["text"].strip():
        raise BadValueError("query without text")


_DOC_ID = Column("doc_id", "string", identifier, required=True)
_QUERY_ID = Column("query_id", "string", identifier, required=True)
_SPLIT = Column("split", "string", optional(_values.split))

CORPUS = Table(
    "corpus",
    (
        _DOC_ID,
        Column("title", "string", text),
        Column("text", "string", text, required=True),
        Column("metadata", "string", text),
    ),
    key=("doc_id",),
    check=_has_content,
    collects=True,
)

QUERIES = Table(
    "queries",
    (_QUERY_ID, Column("text", "string", text, required=True), _SPLIT),
    key=("query_id",),
    check=_has_text,
)

JUDGMENTS = Table(
    "judgments",
    (_QUERY_ID, _DOC_ID, Column("grade", "int32", _values.grade, absent=1), _SPLIT),
    key=("query_id", "doc_id"),
    agree=("grade", "split"),
)

CANDIDATES = Table(
    "candidates",
    (
        _QUERY_ID,
        _DOC_ID,
        Column("retriever", "string", identifier, required=True),
        Column("rank", "int32", _values.position, required=True),
        Column("score", "float", _values.real, required=True),
    ),
    key=("query_id", "doc_id", "retriever"),
    may_be_empty=True,
)


def impressions(session_salt: str = "") -> Table:
    """The impression log; session ids are replaced by a salted hash before anything else sees them."""
    return Table(
        "impressions",
        (
            Column("session_id", "string", partial(_values.session, salt=session_salt), required=True),
            _QUERY_ID,
            _DOC_ID,
            Column("position", "int32", _values.position, required=True),
            Column("clicked", "bool", _values.boolean, required=True),
            Column("dwell_seconds", "float", optional(_values.seconds)),
            Column("shown_at", "timestamp[us]", optional(_values.timestamp)),
            Column("ranker", "string", optional(text)),
        ),
        private=("session_id",),
        may_be_empty=True,
    )
