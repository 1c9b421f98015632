"""Why a query's story is as it is, in words."""

from collections.abc import Iterator, Sequence

from hnm.built_tables import BuiltTables, Row
from hnm.explained import Positive

MINING = ("positives", "judgments", "texts", "candidates", "scored_candidates", "negatives", "triplets")
EVALUATION = ("evaluation_queries", "first_stage", "runs", "evaluations_by_query")


def why_kept(row: Row, passed: int, grade: int | None, min_grade: int) -> Iterator[str]:
    """Why a row of `negatives` is kept: how the distances lie, and its place among the `passed` of its strategy.

    `grade`: what a judgment says of it; from `min_grade` on, it should not have been kept.
    """
    yield _compare("d(Q,D)", row["d_query_doc"], "d(Q,PD)", row["d_query_positive"])
    yield _compare("d(Q,D)", row["d_query_doc"], "d(PD,D)", row["d_positive_doc"])
    yield f"number {row['selected_rank']} of {passed} that passed all rules"
    if grade is not None and grade >= min_grade:
        yield f"but a judgment calls it right (grade {grade}): a false negative"


def _compare(left: str, one: float, right: str, other: float) -> str:
    sign = "<" if one < other else ">" if one > other else "="
    return f"{left} {one:.3f} {sign} {right} {other:.3f}"


def notes(tables: BuiltTables, query: Row, positives: Sequence[Positive], is_evaluated: bool) -> Iterator[str]:
    """What is missing from the story of a query, and why."""
    wanted = MINING if query["split"] != "test" else ("judgments", "texts", "candidates", *EVALUATION)
    missing = tables.missing(wanted)
    if missing:
        yield f"not built yet: {', '.join(missing)}; `hnm run --select '+{' +'.join(missing)}'` builds them"
    if not positives and "positives" in tables.state:
        yield f"no positives, so nothing is mined: {_why_no_positives(tables, query)}"
    if positives and "scored_candidates" in tables.state:
        yield from _without_candidates(tables, query, positives)
    if query["split"] == "test" and not is_evaluated and "evaluation_queries" in tables.state:
        yield f"not evaluated: {_why_not_evaluated(tables, query)}"


def _why_no_positives(tables: BuiltTables, query: Row) -> str:
    if query["split"] == "test":
        return "test queries are for evaluation, and training never sees them"
    if query["split"] == "unjudged":
        return "nothing says whether an answer to it is right (split unjudged)"
    variables = tables.variables("positives")
    if variables.get("positives_from") == "clicks":
        asked = ", ".join(f"{name} {value}" for name, value in variables.items() if name.startswith("min_"))
        return _why_no_click_passed(tables, query, asked)
    grades = tables.rows("judgments", "select grade from judgments where query_id = ?", query["query_id"])
    if not grades:
        return "no judgment names it"
    best = max(row["grade"] for row in grades)
    return f"the best grade of its {len(grades)} judgments is {best}; min_grade is {variables.get('min_grade', 1)}"


def _why_no_click_passed(tables: BuiltTables, query: Row, asked: str) -> str:
    shown = tables.rows(
        "click_evidence",
        """select doc_id, clicks, clicked_sessions, lower_bound, count(*) over () as documents
           from click_evidence where query_id = ? order by clicked_sessions desc, lower_bound desc, doc_id limit 1""",
        query["query_id"],
    )
    if not shown:
        return "the click log does not show it to anybody"
    best = shown[0]
    if not best["clicks"]:
        return f"of the documents shown for it ({best['documents']}), none was clicked"
    return (
        f"no click passed; best is {best['doc_id']} with {best['clicks']} clicks, clicked_sessions "
        f"{best['clicked_sessions']}, lower_bound {best['lower_bound']:.3f} (asked for: {asked})"
    )


def _without_candidates(tables: BuiltTables, query: Row, positives: Sequence[Positive]) -> Iterator[str]:
    first = tables.variables("scored_candidates").get("positives_per_query", len(positives))
    mined = [positive for positive in positives if positive.positive_rank <= first]
    if len(mined) < len(positives):
        beyond = len(positives) - len(mined)
        yield f"nothing is mined for {beyond} of the {len(positives)} positives: positives_per_query is {first}"
    if mined and not any(positive.pool for positive in mined):
        yield "no candidates: no retriever returned a document for it"


def _why_not_evaluated(tables: BuiltTables, query: Row) -> str:
    right = "select 1 from judgments where query_id = ? and grade > 0"
    if not tables.rows("judgments", right, query["query_id"]):
        return "no judgment says which answer is right"
    chosen = "select 1 from evaluation_queries where query_id = ?"
    if tables.rows("evaluation_queries", chosen, query["query_id"]):
        return "no list of it is among the runs"
    return "it is not among the evaluation_queries that were drawn"
