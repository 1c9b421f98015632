"""Training examples from elsewhere: what one record of a file says, whatever form it has.

A record is told by its fields:

    query, positive, negative [, negative_1, …]     sentence-transformers triplets and n-tuples, or tables of triplets
    query, document, label                          labeled pairs; those of a query stand together
    query, documents, labels                        labeled lists
    query, pos, neg                                 FlagEmbedding
    query, positive_passages, negative_passages     Tevatron
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from hnm.readers._values import BadValueError, identifier, integer, missing, real, text

Parsed = TypeVar("Parsed")
QUERY_NAMES = ("query", "anchor", "question", "sentence1")
DEFAULT_STRATEGY = "imported"


@dataclass(frozen=True)
class Text:
    """A query or document. `content`: as in the table `texts`, the title on a line of its own before the text."""

    id: str
    content: str


@dataclass(frozen=True)
class Group:
    """A query with positives and negatives, each document once; what a record does not say is None."""

    query: Text
    positives: tuple[Text, ...]
    negatives: tuple[Text, ...]
    strategy: str | None = None
    split: str | None = None
    rank: int | None = None


FIELDS = (
    *QUERY_NAMES,
    *("query_id", "positive", "positive_id", "negative", "negative_id", "document", "doc_id", "label", "documents"),
    *("labels", "pos", "neg", "positive_passages", "negative_passages", "strategy", "split", "selected_rank"),
)
"""What is read of a record, beside negative_1, negative_2, …"""


def group(record: Mapping[str, object]) -> Group:
    """What a record says. Raises BadValueError when it is of no known form, or lacks a text."""
    query = _query(record)
    for fields, parse in _FORMS.items():
        if fields <= record.keys():
            positives, negatives = parse(record)
            break
    else:
        raise BadValueError(
            "is no triplet: it has neither positive and negative, pos and neg, nor documents and labels"
        )
    strategy = None if missing(record.get("strategy")) else text(record["strategy"])
    split = None if missing(record.get("split")) else text(record["split"])
    rank = record.get("selected_rank")
    return Group(
        query,
        _distinct(positives),
        _distinct(negatives),
        strategy,
        split,
        None if missing(rank) else _named("selected_rank", integer, rank),
    )


def _query(record: Mapping[str, object]) -> Text:
    for name in QUERY_NAMES:
        if name in record:
            return _text("query", record[name], record.get("query_id"))
    raise BadValueError("has no query")


def _triplet(record: Mapping[str, object]) -> tuple[list[Text], list[Text]]:
    positive = _text("positive", record["positive"], record.get("positive_id"))
    numbered = [name for name in record if name == "negative" or name.removeprefix("negative_").isdigit()]
    given = [name for name in numbered if len(numbered) == 1 or not missing(record[name])]
    return [positive], [
        _text(name, record[name], record.get("negative_id") if name == "negative" else None) for name in given
    ]


def _pair(record: Mapping[str, object]) -> tuple[list[Text], list[Text]]:
    document = [_text("document", record["document"], record.get("doc_id"))]
    return (document, []) if _named("label", _label, record["label"]) > 0 else ([], document)


def _labeled(record: Mapping[str, object]) -> tuple[list[Text], list[Text]]:
    documents, labels = _texts(record, "documents"), _list(record, "labels")
    if len(documents) != len(labels):
        raise BadValueError(f"has {len(documents)} documents and {len(labels)} labels")
    good = [_named("a label", _label, label) > 0 for label in labels]
    return (
        [document for document, is_good in zip(documents, good, strict=True) if is_good],
        [document for document, is_good in zip(documents, good, strict=True) if not is_good],
    )


def _flag(record: Mapping[str, object]) -> tuple[list[Text], list[Text]]:
    return _texts(record, "pos"), _texts(record, "neg")


def _passages(record: Mapping[str, object]) -> tuple[list[Text], list[Text]]:
    return _passages_of(record, "positive_passages"), _passages_of(record, "negative_passages")


def _passages_of(record: Mapping[str, object], name: str) -> list[Text]:
    found = []
    for passage in _list(record, name):
        if not isinstance(passage, Mapping):
            raise BadValueError(f"{name} holds what is no passage")
        title, body = text(passage.get("title")), passage.get("text")
        content = f"{title}\n{text(body)}" if title else body
        found.append(_text(name, content, passage.get("docid")))
    return found


_FORMS: dict[frozenset[str], Callable[[Mapping[str, object]], tuple[list[Text], list[Text]]]] = {
    frozenset({"positive_passages", "negative_passages"}): _passages,
    frozenset({"pos", "neg"}): _flag,
    frozenset({"documents", "labels"}): _labeled,
    frozenset({"document", "label"}): _pair,
    frozenset({"positive"}): _triplet,
}


def _texts(record: Mapping[str, object], name: str) -> list[Text]:
    return [_text(name, value, None) for value in _list(record, name)]


def _list(record: Mapping[str, object], name: str) -> Sequence[Any]:
    value = record[name]
    if not isinstance(value, list):
        raise BadValueError(f"{name} is no list")
    return value


def _text(name: str, value: object, given: object) -> Text:
    """A text with its id: the one that is given, or the MD5 of the text, as `text_hash` in the table `texts`."""
    try:
        content = _filled(value)
        own = hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
        return Text(own if missing(given) else identifier(given), content)
    except BadValueError as error:
        raise BadValueError(f"{name} {error}") from None


def _label(value: object) -> float:
    """A number; true and false are 1 and 0."""
    return float(value) if isinstance(value, bool) else real(value)


def _named(name: str, parse: Callable[[object], Parsed], value: object) -> Parsed:
    """What `parse` makes of a value. Raises BadValueError that names the field."""
    try:
        return parse(value)
    except BadValueError as error:
        raise BadValueError(f"{name} {error}") from None


def _filled(value: object) -> str:
    content = text(value)
    if not content.strip():
        raise BadValueError("is blank")
    return content


def _distinct(texts: Sequence[Text]) -> tuple[Text, ...]:
    return tuple({one.id: one for one in texts}.values())


def rows(found: Group, table: str) -> Iterator[dict[str, object]]:
    """The rows that a group gives to a table of the source."""
    query, split = found.query, found.split
    match table:
        case "corpus":
            for document in {one.id: one for one in (*found.positives, *found.negatives)}.values():
                yield {"doc_id": document.id, "title": "", "text": document.content, "metadata": "{}"}
        case "queries":
            yield {"query_id": query.id, "text": query.content, "split": split}
        case "judgments":
            for positive in found.positives:
                yield {"query_id": query.id, "doc_id": positive.id, "grade": 1, "split": split}
        case "triplets":
            for positive in found.positives:
                for rank, negative in enumerate(found.negatives, found.rank or 1):
                    told = found.rank is not None or len(found.negatives) > 1
                    yield {
                        "query_id": query.id,
                        "positive_id": positive.id,
                        "negative_id": negative.id,
                        "query": query.content,
                        "positive": positive.content,
                        "negative": negative.content,
                        "strategy": found.strategy or DEFAULT_STRATEGY,
                        "selected_rank": rank if told else None,
                        "split": split,
                    }


def joined(pairs: Sequence[Group]) -> Group:
    """One group from the labeled pairs of one query."""
    first = pairs[0]
    positives = [one for pair in pairs for one in pair.positives]
    negatives = [one for pair in pairs for one in pair.negatives]
    return Group(first.query, _distinct(positives), _distinct(negatives), first.strategy, first.split, first.rank)
