"""Reader: the API reference of installed libraries, as a known-item search collection."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from hnm.context import Context
from hnm.errors import SourceError
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa

    from hnm.readers._known_items import Document, Query
    from hnm.readers._package_docstrings import Extraction

TABLES = ("corpus", "queries", "judgments")
TOLERANCE = 1e-6

Share = Annotated[float, Field(ge=0, le=1)]


class Splits(Params):
    """Shares of the queries; they sum to 1."""

    train: Share = 0.6
    dev: Share = 0.1
    test: Share = 0.3

    @model_validator(mode="after")
    def _whole(self) -> "Splits":
        if abs(self.train + self.dev + self.test - 1) > TOLERANCE:
            raise ValueError("the shares of train, dev and test must sum to 1")
        return self


def _unrepeated(packages: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(packages)) < len(packages):
        raise ValueError("a package is named twice")
    return packages


PackageName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


class APIReferenceParams(Params):
    """`packages`: import names; `python` stands for the standard library.

    `time_limit_seconds`: for each package; one that takes longer is left out.
    `min_body_words`: a document needs so many words beside its summary. With fewer than about 30 there is little to
    find it by: at 8, BM25's RR@10 falls from .48 to .42, for what is added is mostly one line or a parameter's name.
    `min_query_words`, `max_query_words`: bounds of a summary that serves as a query.
    `splits`: shares of train, dev and test; they hold on average, because objects that could leak stay together.
    """

    table: Literal["corpus", "queries", "judgments"]
    packages: Annotated[tuple[PackageName, ...], Field(min_length=1), AfterValidator(_unrepeated)] = (
        "python",
        "numpy",
        "polars",
        "pyarrow",
        "torch",
        "sentence_transformers",
        "sklearn",
    )
    time_limit_seconds: float = Field(default=120, gt=0)
    min_body_words: int = Field(default=30, ge=1)
    min_query_words: int = Field(default=4, ge=1)
    max_query_words: int = Field(default=40, ge=1)
    splits: Splits = Splits()
    seed: int = 0


def _identity(params: APIReferenceParams) -> Mapping[str, str]:
    from hnm.readers._package_docstrings import versions

    return versions(params.packages)


@transform(params=APIReferenceParams, identity=_identity)
def api_reference(inputs: Inputs, params: APIReferenceParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """One table of a known-item search collection made from the docstrings of installed packages.

    A document is an object's signature and docstring without the summary sentence, titled with the qualified name; a
    query is that summary sentence; a judgment links the two with grade 1 (as in CodeSearchNet, Husain et al. 2019). An
    object exported under several names is one document, and so are objects with the same text.

    Columns: corpus(doc_id, title, text, metadata), queries(query_id, text, split), judgments(query_id, doc_id, grade,
    split); sorted by id. The packages are imported in child processes, and nothing beyond the imports is executed. A
    package that is missing, fails, or takes too long is left out with a note. The collection (some ten thousand short
    texts) is built in memory.

    Raises SourceError when no package can be read.
    """
    from hnm.readers import _known_items
    from hnm.readers._package_docstrings import extract

    extractions = extract(params.packages, params.time_limit_seconds, context)
    _report(extractions, context)
    facts = ({**fact, "package": extraction.package} for extraction in extractions for fact in extraction.facts)
    corpus = _known_items.documents(facts, params.min_body_words)
    if params.table == "corpus":
        yield _corpus_batch(corpus)
        return
    queries = _known_items.queries(
        corpus,
        min_words=params.min_query_words,
        max_words=params.max_query_words,
        shares=params.splits.model_dump(),
        seed=params.seed,
    )
    yield _queries_batch(queries) if params.table == "queries" else _judgments_batch(queries)


def _report(extractions: list["Extraction"], context: Context) -> None:
    """Say and record what was read and what was left out."""
    from hnm.readers._package_docstrings import CACHE

    again = f"to read them again, remove {CACHE.as_posix()}"
    left_out = {extraction.package: extraction.error for extraction in extractions if extraction.error}
    for package, error in left_out.items():
        context.note(f"{package} is left out: {error}")
    if len(left_out) == len(extractions):
        raise SourceError(
            "no package could be read",
            why="; ".join(f"{package}: {error}" for package, error in left_out.items()),
            hint=f"install one of the packages or name others in `packages`; {again}",
        )
    if left_out:
        context.note(again)
    context.record(
        left_out=left_out,
        objects={extraction.package: len(extraction.facts) for extraction in extractions},
        modules=sum(extraction.modules for extraction in extractions),
        failed_modules=sorted(name for extraction in extractions for name in extraction.failed_modules),
    )


def _corpus_batch(corpus: list["Document"]) -> "pa.RecordBatch":
    import json

    import pyarrow as pa

    metadata = ({"package": document.package, "kind": document.kind, "module": document.module} for document in corpus)
    return pa.record_batch(
        {
            "doc_id": pa.array([document.doc_id for document in corpus], pa.string()),
            "title": pa.array([document.doc_id for document in corpus], pa.string()),
            "text": pa.array([document.text for document in corpus], pa.string()),
            "metadata": pa.array([json.dumps(entry) for entry in metadata], pa.string()),
        }
    )


def _queries_batch(queries: list["Query"]) -> "pa.RecordBatch":
    import pyarrow as pa

    return pa.record_batch(
        {
            "query_id": pa.array([query.query_id for query in queries], pa.string()),
            "text": pa.array([query.text for query in queries], pa.string()),
            "split": pa.array([query.split for query in queries], pa.string()),
        }
    )


def _judgments_batch(queries: list["Query"]) -> "pa.RecordBatch":
    import pyarrow as pa

    return pa.record_batch(
        {
            "query_id": pa.array([query.query_id for query in queries], pa.string()),
            "doc_id": pa.array([query.doc_id for query in queries], pa.string()),
            "grade": pa.array([1] * len(queries), pa.int32()),
            "split": pa.array([query.split for query in queries], pa.string()),
        }
    )
