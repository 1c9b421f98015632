"""The triplets that a training may use, as one SQL relation: of its splits, with weights and a teacher's scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hnm.errors import StageError, nearest
from hnm.inputs import Inputs
from hnm.sqltext import quote
from hnm.training.recipe import TeacherColumnsParams

IDS, TEXTS = ("query_id", "positive_id", "negative_id"), ("query", "positive", "negative")
REQUIRED = (*IDS, *TEXTS, "strategy")
_TAUGHT = """
(select triplets.*, of_positive.score::float as positive_teacher, of_negative.score::float as negative_teacher
 from {source} as triplets
 join teacher as of_positive on of_positive.query_id = triplets.query_id and of_positive.doc_id = positive_id
 join teacher as of_negative on of_negative.query_id = triplets.query_id and of_negative.doc_id = negative_id
 where positive_teacher is not null and negative_teacher is not null)
"""
_TAUGHT_TWICE = """
select query_id, doc_id from teacher group by all having count(*) > 1 order by all limit 1
"""


@dataclass(frozen=True)
class Source:
    """`sql`: a relation in parentheses with the columns `REQUIRED`, `selected_rank`, `example_weight`, and
    `positive_teacher` and `negative_teacher` (null without a teacher). `values`: what it binds.
    `untaught`: triplets that were left out because the teacher lacks one of their documents.
    """

    sql: str
    values: dict[str, Any]
    untaught: int = 0


def triplet_source(
    inputs: Inputs,
    splits: Sequence[str] | None,
    weight_column: str | None = None,
    teacher_columns: TeacherColumnsParams | None = None,
    needs_teacher: bool = False,
) -> Source:
    """The triplets of `splits` (where there is a column `split`; None for all).

    Raises StageError for missing columns, ids that are no text, ids and texts that are missing, weights that are none,
    and a teacher that is missing, given twice, scores a document twice, or not with a number.
    """
    why = "a group is made of the rows with the same query_id and positive_id"
    columns = require_columns(inputs, "triplets", REQUIRED, why)
    rank = "" if "selected_rank" in columns else ", null::integer as selected_rank"
    where = "where list_contains($splits, split)" if splits is not None and "split" in columns else ""
    values = {"splits": list(splits or ())} if where else {}
    sql = f"(select *{rank}, {_weight(inputs, weight_column)} as example_weight from triplets {where})"
    _refuse_gaps(inputs, sql, values)
    if weight_column:
        _refuse_bad_weights(inputs, sql, values, weight_column)
    if not needs_teacher:
        return Source(
            f"(select *, null::float as positive_teacher, null::float as negative_teacher from {sql})", values
        )
    taught = _taught(inputs, sql, values, teacher_columns)
    before, after = (_count(inputs, relation, values) for relation in (sql, taught))
    if before and not after:
        raise StageError("the teacher scores none of the triplets", hint="it needs the same query_id and doc_id")
    return Source(taught, values, before - after)


def require_columns(inputs: Inputs, table: str, wanted: Sequence[str], why: str) -> list[str]:
    """The columns of an input. Raises StageError, with `why`, when it lacks one of those that are wanted, and when an
    id is a number, which is another id than the text of the same digits."""
    import pyarrow as pa

    schema = inputs.table(f"select * from {quote(table)} limit 0").schema
    for name in wanted:
        if name not in schema.names:
            raise StageError(f"{table}: no column {name!r}", why=why, hint=nearest(name, schema.names))
        kind = schema.field(name).type
        if name in (*IDS, "doc_id", "id") and pa.types.is_primitive(kind):
            raise StageError(f"{table}: {name} is {kind}", why="ids are texts", hint=f"{name}::varchar makes it one")
    return list(schema.names)


def _refuse_gaps(inputs: Inputs, sql: str, values: dict[str, Any]) -> None:
    parts = (*IDS, *TEXTS)
    missing = " or ".join(f"{name} is null" for name in parts)
    for row in inputs.table(
        f"select {', '.join(parts)} from {sql} where {missing} limit 1", values or None
    ).to_pylist():
        gap = next(name for name in parts if row[name] is None)
        ids = ", ".join(f"{name} {row[name]!r}" for name in IDS)
        raise StageError(
            f"triplets: {gap} is missing in a row", why=f"it has {ids}", hint=f"leave it out: where {gap} is not null"
        )


def _weight(inputs: Inputs, name: str | None) -> str:
    if name is None:
        return "1::float"
    require_columns(inputs, "triplets", [name], "weight_column names it")
    return f"try_cast({quote(name)} as float)"


def _refuse_bad_weights(inputs: Inputs, sql: str, values: dict[str, Any], name: str) -> None:
    good = "coalesce(isfinite(example_weight) and example_weight >= 0, false)"
    bad = f"select query_id, {quote(name)} as given from {sql} where not {good} order by query_id limit 1"
    for row in inputs.table(bad, values or None).to_pylist():
        raise StageError(
            f"triplets: {name} of query {row['query_id']!r} is {row['given']}",
            why="weights are numbers from 0 on",
        )


def _refuse_bad_scores(inputs: Inputs, table: str, column: str, sql: str, values: dict[str, Any]) -> None:
    """What is null is not scored; what is no finite number would end the training."""
    score = quote(column)
    bad = f"{score} is not null and not coalesce(isfinite(try_cast({score} as float)), false)"
    query = f"select query_id, {score} as given from {sql} where {bad} order by query_id limit 1"
    for row in inputs.table(query, values or None).to_pylist():
        raise StageError(
            f"{table}: {column} of query {row['query_id']!r} is {row['given']}",
            why="a teacher's scores are numbers, or null where it has none",
        )


def _taught(inputs: Inputs, sql: str, values: dict[str, Any], teacher: TeacherColumnsParams | None) -> str:
    """The triplets whose positive and negative have a teacher's score."""
    if ("teacher" in inputs) == (teacher is not None):
        raise StageError(
            "two teachers" if teacher else "the loss learns a teacher's scores, and there is none",
            hint="give either the input `teacher` (query_id, doc_id, score), as of a `judge` stage, or teacher_columns",
        )
    if teacher is None:
        require_columns(inputs, "teacher", ("query_id", "doc_id", "score"), "the loss learns its scores")
        _refuse_bad_scores(inputs, "teacher", "score", "teacher", {})
        for row in inputs.table(_TAUGHT_TWICE).to_pylist():
            raise StageError(f"teacher: document {row['doc_id']!r} has two scores for query {row['query_id']!r}")
        return _TAUGHT.format(source=sql)
    require_columns(inputs, "triplets", [teacher.positive, teacher.negative], "teacher_columns name it")
    for name in (teacher.positive, teacher.negative):
        _refuse_bad_scores(inputs, "triplets", name, sql, values)
    sign = "-" if teacher.distances else ""
    positive, negative = quote(teacher.positive), quote(teacher.negative)
    scores = f"{sign}({positive}::float) as positive_teacher, {sign}({negative}::float) as negative_teacher"
    return f"(select *, {scores} from {sql} where {positive} is not null and {negative} is not null)"


def _count(inputs: Inputs, relation: str, values: dict[str, Any]) -> int:
    return int(inputs.table(f"select count(*) from {relation}", values or None).column(0)[0].as_py())
