"""What `hnm.explain` tells of a query: data alone. Distances: lower is nearer; scores: higher is better."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Place:
    """Where a ranked list has a document: `rank` from 1; of scores, higher is better."""

    rank: int
    score: float | None


@dataclass(frozen=True)
class Document:
    """A document as the story names it.

    `excerpt`: how its text begins. `grade`: what a judgment says of it as an answer to the query; None without one.
    `found`: its place in the list of each retriever that returned it.
    """

    doc_id: str
    excerpt: str
    grade: int | None
    found: Mapping[str, Place]


@dataclass(frozen=True)
class Outcome:
    """What a strategy decided about a candidate. `exclusion_reason`: None when it is kept, with step 0."""

    strategy: str
    exclusion_reason: str | None
    exclusion_step: int
    selected_rank: int | None


@dataclass(frozen=True)
class Candidate:
    """A document beside a positive, as in `scored_candidates`. `fusions`: its columns fused_NAME by name.

    `outcomes`: of the strategies that considered it.
    """

    document: Document
    d_query_doc: float
    d_query_positive: float
    d_positive_doc: float
    fused_score: float
    rrf: float
    agreement: int
    lexical_overlap: float
    fusions: Mapping[str, float | None]
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class Removal:
    """How many candidates one rule of a strategy removed. `step`: the rule's place in the order of rules."""

    step: int
    reason: str
    rows: int


@dataclass(frozen=True)
class Kept:
    """A negative, and in words why it is one."""

    document: Document
    selected_rank: int
    d_query_doc: float
    d_query_positive: float
    d_positive_doc: float
    fused_score: float
    why: tuple[str, ...]


@dataclass(frozen=True)
class Mining:
    """What one strategy made of the candidates of a query and positive. `settings`: the strategy's, as it ran."""

    strategy: str
    settings: Mapping[str, Any]
    considered: int
    removed: tuple[Removal, ...]
    kept: tuple[Kept, ...]


@dataclass(frozen=True)
class Positive:
    """An accepted answer, the evidence for it, and what was mined for it.

    `d_query_positive`: None where nothing was mined. `pool`: how many candidates there are; `candidates` are the first
    of them, nearest to the query first.
    """

    document: Document
    positive_rank: int
    weight: float
    origin: str
    evidence: Mapping[str, Any]
    d_query_positive: float | None
    pool: int
    candidates: tuple[Candidate, ...]
    strategies: tuple[Mining, ...]


@dataclass(frozen=True)
class Triplet:
    """A training example of the query."""

    positive_id: str
    negative_id: str
    strategy: str
    selected_rank: int
    weight: float


@dataclass(frozen=True)
class System:
    """One system that was evaluated on the query: the first stage, or a reranker of its list.

    `documents`: how many its list has. `places`: of the right answers that are in it. `measures`: from 0 to 1.
    """

    name: str
    is_first_stage: bool
    documents: int
    places: Mapping[str, Place]
    measures: Mapping[str, float]


@dataclass(frozen=True)
class Story:
    """All that the tables say of one query.

    `answers`: the documents that a judgment calls right. `systems`: empty where the query is not evaluated.
    `notes`: in words, what is missing and why.
    """

    query_id: str
    text: str
    split: str
    retrievers: tuple[str, ...]
    positives: tuple[Positive, ...]
    triplets: tuple[Triplet, ...]
    answers: tuple[Document, ...]
    systems: tuple[System, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Match:
    """A query that a search by text found."""

    query_id: str
    split: str
    text: str
