"""One query's whole story, from its positives to what was kept as a negative and why: read from the tables."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from hnm.built_tables import BuiltTables, Row, reading
from hnm.errors import QueryError, SelectorError, nearest
from hnm.explain_words import notes, why_kept
from hnm.explained import (
    Candidate,
    Document,
    Kept,
    Match,
    Mining,
    Outcome,
    Place,
    Positive,
    Removal,
    Story,
    System,
    Triplet,
)

if TYPE_CHECKING:
    from hnm.api import Project

TABLES = (
    "queries", "click_evidence", "positives", "judgments", "texts", "candidates", "scored_candidates", "negatives",
    "triplets", "evaluation_queries", "first_stage", "runs", "evaluations_by_query",
)  # fmt: skip
EXCERPT_CHARACTERS = 200
MEASURED = (
    "d_query_doc", "d_query_positive", "d_positive_doc", "fused_score", "rrf", "agreement", "lexical_overlap",
)  # fmt: skip
NOT_EVIDENCE = ("query_id", "doc_id", "positive_rank", "weight", "origin", "split")


def explain(
    project: "Project",
    query_id: str,
    *,
    limit: int | None = 10,
    strategies: Collection[str] = (),
    positive: str | None = None,
) -> Story:
    """The story of one query. `limit`: candidates of each positive, None for all; `strategies`, `positive`: only those.

    Raises QueryError when there is no such query or `queries` is not built, SelectorError for an unknown strategy or
    positive.
    """
    with reading(project, TABLES) as tables:
        return _Teller(tables, _the_query(tables, query_id), limit, strategies, positive).story()


def find_queries(project: "Project", text: str) -> list[Match]:
    """The queries that hold all words of `text`, in any case and order, shortest first. An equal text beats all others.

    Raises QueryError when there is none.
    """
    words = text.lower().split()
    with reading(project, TABLES) as tables:
        tables.require("queries")
        rows = tables.rows(
            "queries",
            """select query_id, split, text, lower(trim(text)) = lower($1) as is_same
               from queries where len(list_filter($2::varchar[], lambda word: contains(lower(text), word))) = len($2)
               order by len(text), query_id""",
            text.strip(),
            words,
        )
    found = [row for row in rows if row["is_same"]] or rows
    if not found or not words:
        raise QueryError(f"no query holds all the words {text!r}", hint="fewer words, or parts of words, find more")
    return [Match(row["query_id"], row["split"], row["text"]) for row in found]


def _the_query(tables: BuiltTables, query_id: str) -> Row:
    tables.require("queries")
    found = tables.rows("queries", "select query_id, text, split from queries where query_id = ?", query_id)
    if found:
        return found[0]
    near = tables.rows(
        "queries",
        """select query_id from queries
           where contains(lower(query_id), lower($1)) or jaro_winkler_similarity(query_id, $1) > 0.8
           order by contains(lower(query_id), lower($1)) desc, jaro_winkler_similarity(query_id, $1) desc, query_id
           limit 5""",
        query_id,
    )
    ids = ", ".join(row["query_id"] for row in near)
    raise QueryError(
        f"there is no query {query_id!r}",
        hint=f"did you mean {ids}?" if ids else 'find it by its text: `hnm explain --text "some words"`',
    )


@dataclass(frozen=True)
class _Teller:
    """Puts one query's rows together."""

    tables: BuiltTables
    query: Row
    limit: int | None
    strategies: Collection[str]
    positive: str | None

    def rows(self, needs: str, sql: str) -> list[Row]:
        """Rows about the query, whose id is the `?` of `sql`."""
        return self.tables.rows(needs, sql, self.query["query_id"])

    def story(self) -> Story:
        self._check_filters()
        answers = [doc_id for doc_id, grade in self.grades.items() if grade > 0]
        positives = tuple(self._positive(row) for row in self.accepted if self.positive in (None, row["doc_id"]))
        systems = tuple(self._systems(answers))
        return Story(
            **self.query,
            retrievers=tuple(sorted({name for places in self.found.values() for name in places})),
            positives=positives,
            triplets=tuple(self._triplets()),
            answers=tuple(self.document(doc_id) for doc_id in answers),
            systems=systems,
            notes=tuple(notes(self.tables, self.query, positives, bool(systems))),
        )

    def _check_filters(self) -> None:
        known = {*self.settings, *(row["strategy"] for row in self.decided)}
        for name in self.strategies:
            if name not in known:
                raise SelectorError(f"there is no strategy {name!r}", hint=_hint(name, known))
        positives = [row["doc_id"] for row in self.accepted]
        if self.positive is not None and self.positive not in positives:
            raise SelectorError(
                f"{self.positive!r} is not a positive of the query", hint=_hint(self.positive, positives)
            )

    # What is said of documents

    @cached_property
    def found(self) -> dict[str, dict[str, Place]]:
        """By document and retriever."""
        found: dict[str, dict[str, Place]] = {}
        for row in self.rows(
            "candidates",
            """select doc_id, retriever, min(rank) as rank, max(score) as score
               from candidates where query_id = ? group by doc_id, retriever order by retriever""",
        ):
            found.setdefault(row["doc_id"], {})[row["retriever"]] = Place(row["rank"], row["score"])
        return found

    @cached_property
    def grades(self) -> dict[str, int]:
        """By document, the best first."""
        rows = self.rows(
            "judgments",
            """select doc_id, max(grade) as grade from judgments where query_id = ?
               group by doc_id order by grade desc, doc_id""",
        )
        return {row["doc_id"]: row["grade"] for row in rows}

    @cached_property
    def min_grade(self) -> int:
        """From which grade on a judgment makes a negative a false one."""
        return int(self.tables.variables("negative_measures").get("min_grade", 1))

    @cached_property
    def excerpts(self) -> dict[str, str]:
        """How the texts of all documents begin that the story may name."""
        rows = self.tables.rows(
            "texts",
            """select id, left(text, ?) as excerpt from texts
               where kind = 'document' and id in (select unnest(?::varchar[]))""",
            EXCERPT_CHARACTERS,
            [*self.found, *self.grades, *(row["doc_id"] for row in self.accepted)],
        )
        return {row["id"]: row["excerpt"] for row in rows}

    def document(self, doc_id: str) -> Document:
        return Document(doc_id, self.excerpts.get(doc_id, ""), self.grades.get(doc_id), self.found.get(doc_id, {}))

    # Positives, and what was mined for each

    @cached_property
    def accepted(self) -> list[Row]:
        """The query's rows of `positives`."""
        return self.rows("positives", "select * from positives where query_id = ? order by positive_rank")

    @cached_property
    def pool(self) -> list[Row]:
        """The query's rows of `scored_candidates`, the nearest first."""
        return self.rows(
            "scored_candidates",
            "select * from scored_candidates where query_id = ? order by positive_id, d_query_doc, doc_id",
        )

    @cached_property
    def decided(self) -> list[Row]:
        """The query's rows of `negatives`."""
        return self.rows(
            "negatives",
            """select positive_id, doc_id, strategy, d_query_doc, d_query_positive, d_positive_doc, fused_score,
                      exclusion_reason, coalesce(exclusion_step, 0) as exclusion_step, selected_rank
               from negatives where query_id = ? order by positive_id, strategy, selected_rank, doc_id""",
        )

    @cached_property
    def settings(self) -> dict[str, Row]:
        """Each strategy's settings as it ran, in the order in which the strategies were tried."""
        strategies = self.tables.variables("negatives").get("strategies") or []
        return {strategy["name"]: {"rule": strategy["rule"], **strategy} for strategy in strategies}

    def _positive(self, row: Row) -> Positive:
        pool = [other for other in self.pool if other["positive_id"] == row["doc_id"]]
        decided = [other for other in self.decided if other["positive_id"] == row["doc_id"]]
        names = [name for name in self._tried() if not self.strategies or name in self.strategies]
        of_strategies = [other for other in decided if other["strategy"] in names]
        return Positive(
            document=self.document(row["doc_id"]),
            positive_rank=row["positive_rank"],
            weight=row["weight"],
            origin=row["origin"],
            evidence={name: value for name, value in row.items() if name not in NOT_EVIDENCE and value is not None},
            d_query_positive=pool[0]["d_query_positive"] if pool else None,
            pool=len(pool),
            candidates=tuple(self._candidates(pool[: self.limit], of_strategies)),
            strategies=tuple(self._mining(name, of_strategies) for name in names) if pool and self.decided else (),
        )

    def _tried(self) -> list[str]:
        return list(dict.fromkeys([*self.settings, *sorted({row["strategy"] for row in self.decided})]))

    def _candidates(self, pool: list[Row], decided: list[Row]) -> Iterator[Candidate]:
        outcomes: dict[str, list[Outcome]] = {}
        for row in decided:
            outcome = Outcome(row["strategy"], row["exclusion_reason"], row["exclusion_step"], row["selected_rank"])
            outcomes.setdefault(row["doc_id"], []).append(outcome)
        for row in pool:
            yield Candidate(
                document=self.document(row["doc_id"]),
                **{name: row[name] for name in MEASURED},
                fusions={name: row[name] for name in row if name.startswith("fused_") and name not in MEASURED},
                outcomes=tuple(outcomes.get(row["doc_id"], ())),
            )

    def _mining(self, strategy: str, decided: list[Row]) -> Mining:
        rows = [row for row in decided if row["strategy"] == strategy]
        removed = Counter((row["exclusion_step"], row["exclusion_reason"]) for row in rows if row["exclusion_reason"])
        passed = sum(row["selected_rank"] is not None for row in rows)
        return Mining(
            strategy=strategy,
            settings={name: value for name, value in self.settings.get(strategy, {}).items() if name != "name"},
            considered=len(rows),
            removed=tuple(Removal(*rule, count) for rule, count in sorted(removed.items())),
            kept=tuple(self._kept(row, passed) for row in rows if not row["exclusion_reason"]),
        )

    def _kept(self, row: Row, passed: int) -> Kept:
        names = ("selected_rank", "d_query_doc", "d_query_positive", "d_positive_doc", "fused_score")
        document = self.document(row["doc_id"])
        measured = {name: row[name] for name in names}
        return Kept(document=document, **measured, why=tuple(why_kept(row, passed, document.grade, self.min_grade)))

    # What came of it

    def _triplets(self) -> Iterator[Triplet]:
        for row in self.rows(
            "triplets",
            """select positive_id, negative_id, strategy, selected_rank, weight from triplets where query_id = ?
               order by positive_id, strategy, selected_rank, negative_id""",
        ):
            if self.positive in (None, row["positive_id"]) and (
                not self.strategies or row["strategy"] in self.strategies
            ):
                yield Triplet(**row)

    def _systems(self, answers: list[str]) -> Iterator[System]:
        first = {row["retriever"] for row in self.rows("first_stage", "select * from first_stage where query_id = ?")}
        lists: dict[str, dict[str, Place]] = {}
        for row in self.rows("runs", "select retriever, doc_id, rank, score from runs where query_id = ?"):
            lists.setdefault(row["retriever"], {})[row["doc_id"]] = Place(row["rank"], row["score"])
        measures: dict[str, dict[str, float]] = {}
        for row in self.rows(
            "evaluations_by_query", "select * from evaluations_by_query where query_id = ? order by measure"
        ):
            measures.setdefault(row["model"], {})[row["measure"]] = row["value"]
        for name in sorted({*lists, *measures}, key=lambda name: (name not in first, name)):
            places = lists.get(name, {})
            known = {doc_id: places[doc_id] for doc_id in answers if doc_id in places}
            yield System(name, name in first, len(places), known, measures.get(name, {}))


def _hint(name: str, known: Collection[str]) -> str:
    return nearest(name, known) or (f"there are {', '.join(sorted(known))}" if known else "there is none")
