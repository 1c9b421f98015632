"""From docstrings to a known-item search collection. Pure functions: facts in, documents and queries out.

Known-item search as in CodeSearchNet (Husain et al. 2019, arXiv 1909.09436): the summary sentence of a docstring is the
query, the object without that sentence is the one document that answers it.
"""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx

from hnm.readers._docstrings import normal, parse
from hnm.readers._extract_docstrings import canonical

SIGNATURE_CHARACTERS = 600
"""A longer signature (a list of 300 stop words as a default value, say) is cut: it would crowd out the prose."""

NEAR_IDENTICAL = 0.8
"""Summaries whose word sets have at least this Jaccard similarity never stand in different splits."""


@dataclass(frozen=True)
class Document:
    """One documented object. `text` is the signature and the docstring without `summary`."""

    doc_id: str
    text: str
    summary: str | None
    package: str
    kind: str
    module: str


@dataclass(frozen=True)
class Query:
    """The summary of document `doc_id`."""

    query_id: str
    text: str
    doc_id: str
    split: str


def documents(facts: Iterable[Mapping[str, str]], min_body_words: int) -> list[Document]:
    """Objects whose docstring keeps at least `min_body_words` without its summary; one per text, sorted by id.

    `facts`: `{package, name, module, kind, signature, doc}`. Of several objects with the same text, the one with the
    fewest name parts, then the shortest, then the alphabetically first name stays.
    """
    kept: dict[str, Document] = {}
    for fact in sorted(facts, key=lambda fact: canonical(fact["name"])):
        parsed = parse(fact["doc"])
        if len(normal(parsed.body).split()) < min_body_words:
            continue
        text = f"{_signature(fact, parsed.signature)}\n{parsed.body}".strip()
        kept.setdefault(
            normal(text),
            Document(fact["name"], text, parsed.summary, fact["package"], fact["kind"], fact["module"]),
        )
    return sorted(kept.values(), key=lambda document: document.doc_id)


def _signature(fact: Mapping[str, str], documented: str | None) -> str:
    """The signature that Python knows, else the docstring's own, else nothing."""
    last_name = fact["name"].rpartition(".")[2]
    signature = f"{last_name}{fact['signature']}" if fact["signature"] else documented or ""
    return signature if len(signature) <= SIGNATURE_CHARACTERS else signature[:SIGNATURE_CHARACTERS] + " …"


def queries(
    corpus: Sequence[Document], *, min_words: int, max_words: int, shares: Mapping[str, float], seed: int
) -> list[Query]:
    """The summaries that stand for exactly one document, with their splits, sorted by id.

    A summary is used when it has `min_words` to `max_words` words, when no other document has it (case, punctuation and
    white space aside), and when its own document does not repeat it.
    """
    normals = {document.doc_id: normal(document.summary or "") for document in corpus}
    frequency = Counter(normals.values())
    usable = {
        document.doc_id: document.summary
        for document in corpus
        if document.summary
        and min_words <= len(normals[document.doc_id].split()) <= max_words
        and frequency[normals[document.doc_id]] == 1
        and normals[document.doc_id] not in normal(document.text)
    }
    splits = assign_splits({doc_id: normals[doc_id] for doc_id in usable}, shares, seed)
    return [Query(f"summary:{doc_id}", text, doc_id, splits[doc_id]) for doc_id, text in sorted(usable.items())]


def assign_splits(summaries: Mapping[str, str], shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """A split for each qualified name, without a leak between splits.

    Names with the same last part (`polars.DataFrame.sum`, `polars.Series.sum`; case and trailing underscores aside) and
    near-identical summaries go together. Each group's split is drawn by a hash of its first name, so the shares hold on
    average. `summaries`: normalized, by name. `shares`: split to share, summing to 1.
    """
    graph: nx.Graph[Any] = nx.Graph()
    for name in summaries:
        graph.add_edge(("name", name), ("last part", name.rpartition(".")[2].casefold().rstrip("_")))
    for left, right in near_identical({name: frozenset(text.split()) for name, text in summaries.items()}):
        graph.add_edge(("name", left), ("name", right))
    splits: dict[str, str] = {}
    for group in nx.connected_components(graph):
        members = sorted(name for kind, name in group if kind == "name")
        splits.update(dict.fromkeys(members, _draw(f"{seed}:{members[0]}", shares)))
    return splits


def _draw(key: str, shares: Mapping[str, float]) -> str:
    """One of `shares` with its probability, decided by the SHA-256 of `key`."""
    point = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64
    for split, share in shares.items():
        if point < share:
            return split
        point -= share
    return split  # the shares' sum was rounded below 1


def near_identical(words: Mapping[str, frozenset[str]], least: float = NEAR_IDENTICAL) -> Iterator[tuple[str, str]]:
    """All pairs of names whose word sets have a Jaccard similarity of at least `least`, each once.

    Prefix filtering (Chaudhuri et al. 2006, Bayardo et al. 2007): with the words ordered from rare to common, two sets
    that similar share a word among the first n - ceil(least * n) + 1 of each, so only those are indexed and looked up.
    """
    frequency = Counter(word for members in words.values() for word in members)
    holders: dict[str, list[str]] = defaultdict(list)
    for name in sorted(words):
        members = sorted(words[name], key=lambda word: (frequency[word], word))
        prefix = members[: len(members) - math.ceil(least * len(members)) + 1]
        for other in sorted({other for word in prefix for other in holders[word]}):
            shared = len(words[name] & words[other])
            if shared >= least * (len(words[name]) + len(words[other]) - shared):
                yield other, name
        for word in prefix:
            holders[word].append(name)
