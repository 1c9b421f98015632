"""Reader: the READMEs of installed Python distributions, as a known-item search collection."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from hnm.context import Context
from hnm.errors import SourceError
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa

    from hnm.readers._readme import Readme

TABLES = ("corpus", "queries", "judgments")
HOME = "hnm"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class PackageReadmesParams(Params):
    """`distributions`: whose READMEs are read; null for all that hnm itself needs, directly or not.

    `min_section_words`: a section needs so many words. `min_query_words`: words of letters in a heading or summary that
    serves as a query.
    """

    table: Literal["corpus", "queries", "judgments"]
    distributions: tuple[str, ...] | None = None
    min_section_words: int = Field(default=30, ge=1)
    min_query_words: int = Field(default=3, ge=1)


def _identity(params: PackageReadmesParams) -> Mapping[str, str]:
    """The versions of what is read."""
    return _versions(params.distributions)


@transform(params=PackageReadmesParams, identity=_identity)
def package_readmes(inputs: Inputs, params: PackageReadmesParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """One table of a known-item search collection made from the READMEs that distributions carry in their metadata.

    A document is a section of a README without its heading, titled with the distribution's name; a query is that
    heading, or, for the first section, the one-line summary of the distribution; a judgment links the two with grade 1.
    Headings that several sections have, or that their section repeats, are no queries.

    Columns: corpus(doc_id, title, text, metadata), queries(query_id, text, split), judgments(query_id, doc_id, grade,
    split), without splits. Nothing is imported or executed. The collection (about a thousand sections) is built in
    memory. Raises SourceError when no README can be read.
    """
    from hnm.readers import _readme

    readmes = _readmes(params.distributions)
    corpus = _readme.sections(readmes, params.min_section_words)
    if not corpus:
        raise SourceError(
            "no README can be read",
            why=f"none of {len(readmes):,} distributions has a section of {params.min_section_words} words",
            hint="name installed distributions in `distributions`",
        )
    context.record(distributions=len({section.package for section in corpus}), sections=len(corpus))
    questions = _readme.questions(corpus, params.min_query_words)
    if params.table == "corpus":
        rows = [(one.doc_id, one.package, one.text, "{}") for one in corpus]
        yield _batch(("doc_id", "title", "text", "metadata"), rows)
    elif params.table == "queries":
        yield _batch(("query_id", "text", "split"), [(one.query_id, one.text, None) for one in questions])
    else:
        judged = [(one.query_id, one.doc_id, 1, None) for one in questions]
        yield _batch(("query_id", "doc_id", "grade", "split"), judged)


def _batch(columns: tuple[str, ...], rows: "Sequence[tuple[str | int | None, ...]]") -> "pa.RecordBatch":
    import pyarrow as pa

    schema = pa.schema([(name, pa.int32() if name == "grade" else pa.string()) for name in columns])
    return pa.RecordBatch.from_pylist([dict(zip(columns, row, strict=True)) for row in rows], schema)


def _readmes(distributions: tuple[str, ...] | None) -> "list[Readme]":
    from importlib.metadata import metadata

    from hnm.readers._readme import Readme

    found = []
    for name in _versions(distributions):
        about = metadata(name)
        # Old metadata has the description as a header, newer ones as the body of the message.
        text = about["Description"] or about.get_payload()  # type: ignore[attr-defined]  # it is an email.Message
        found.append(Readme(about["Name"], about["Summary"] or "", text or ""))
    return found


@cache  # every plan asks for each of the three tables
def _versions(distributions: tuple[str, ...] | None) -> Mapping[str, str]:
    """The version of each distribution that is installed, by its name in lower case."""
    from importlib.metadata import PackageNotFoundError

    from hnm.distributions import requires, version

    waiting, seen, found = list(distributions or (HOME,)), set[str](), dict[str, str]()
    for name in waiting:
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in seen:
            continue
        seen.add(key)
        try:
            found[key] = version(name)
            needed = requires(name) if distributions is None else ()
        except PackageNotFoundError:
            continue
        waiting += [match[0] for text in needed if "extra ==" not in text and (match := _NAME.match(text))]
    if distributions is None:
        found.pop(HOME, None)  # its README is about this very pipeline
    return dict(sorted(found.items()))
