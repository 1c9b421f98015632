"""Candidates written by hand, and what strategies decide about them."""

from typing import Any

from sql_stages import Row, Stages, select


def candidate(
    name: str,
    d_query_doc: float,
    d_positive_doc: float = 1.0,
    d_query_positive: float = 0.5,
    pair: tuple[str, str] = ("q", "p"),
    rank_bm25: int | None = 1,
    rank_random: int | None = None,
    known: bool = False,
    copy: bool = False,
) -> tuple[Any, ...]:
    return (*pair, name, d_query_doc, d_query_positive, d_positive_doc, rank_bm25, rank_random, known, copy)


def mine(stages: Stages, candidates: list[tuple[Any, ...]], *strategies: dict[str, Any], **variables: Any) -> list[Row]:
    """The rows of `negatives`. The score of BM25 is 100 less the rank."""
    stages.give("scored_candidates", candidates)
    stages.connection.execute("""
        update scored_candidates set
            split = 'train', fused_score = 1 - d_query_doc, agreement = (rank_bm25 is not null)::integer,
            score_bm25 = 100 - rank_bm25, rrf = coalesce(1 / (60 + rank_bm25), 0), lexical_overlap = 0
    """)
    return stages.build("negatives", strategies=list(strategies), **variables)


def reasons(rows: list[Row]) -> dict[str, str | None]:
    return {row["doc_id"]: row["exclusion_reason"] for row in rows}


def kept(rows: list[Row]) -> list[tuple[Any, ...]]:
    """(strategy, document) of what was kept, by strategy in order of choice."""
    chosen = [row for row in rows if row["exclusion_reason"] is None]
    return select(sorted(chosen, key=lambda row: (row["strategy"], row["selected_rank"])), "strategy", "doc_id")
