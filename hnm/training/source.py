"""The triplets that a training may use, as one SQL relation: of its splits, with weights and a teacher's scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hnm.errors import StageError, nearest
from hnm.inputs import Inputs
from hnm.sqltext import quote
from hnm.training.recipe import TeacherColumnsParams

REQUIRED = ("query_id", "positive_id", "negative_id", "query", "positive", "negative", "strategy")
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

    Raises StageError for missing columns, weights that are none, and a teacher that is missing, given twice, or scores
    a document twice.
    """
    columns = inputs.table("select * from triplets limit 0").schema.names
    _require(columns, REQUIRED, "a group is made of the rows with the same query_id and positive_id")
    rank = "" if "selected_rank" in columns else ", null::integer as selected_rank"
    where = "where list_contains($splits, split)" if splits is not None and "split" in columns else ""
    values = {"splits": list(splits or ())} if where else {}
    sql = f"(select *{rank}, {_weight(columns, weight_column)} as example_weight from triplets {where})"
    if weight_column:
        _refuse_bad_weights(inputs, sql, values, weight_column)
    if not needs_teacher:
        return Source(
            f"(select *, null::float as positive_teacher, null::float as negative_teacher from {sql})", values
        )
    taught = _taught(inputs, columns, sql, teacher_columns)
    before, after = (_count(inputs, relation, values) for relation in (sql, taught))
    if before and not after:
        raise StageError("the teacher scores none of the triplets", hint="it needs the same query_id and doc_id")
    return Source(taught, values, before - after)


def _require(columns: Sequence[str], wanted: Sequence[str], why: str) -> None:
    for name in wanted:
        if name not in columns:
            raise StageError(f"triplets have no column {name!r}", why=why, hint=nearest(name, columns))


def _weight(columns: Sequence[str], name: str | None) -> str:
    if name is None:
        return "1::float"
    _require(columns, [name], "weight_column names it")
    return f"{quote(name)}::float"


def _refuse_bad_weights(inputs: Inputs, sql: str, values: dict[str, Any], name: str) -> None:
    good = "coalesce(isfinite(example_weight) and example_weight >= 0, false)"
    bad = f"select query_id, example_weight from {sql} where not {good} order by all limit 1"
    for row in inputs.table(bad, values or None).to_pylist():
        raise StageError(
            f"triplets: {name} of query {row['query_id']!r} is {row['example_weight']}",
            why="weights are numbers from 0 on",
        )


def _taught(inputs: Inputs, columns: Sequence[str], sql: str, teacher: TeacherColumnsParams | None) -> str:
    """The triplets whose positive and negative have a teacher's score."""
    if ("teacher" in inputs) == (teacher is not None):
        raise StageError(
            "two teachers" if teacher else "the loss learns a teacher's scores, and there is none",
            hint="give either the input `teacher` (query_id, doc_id, score), as of a `judge` stage, or teacher_columns",
        )
    if teacher is None:
        for row in inputs.table(_TAUGHT_TWICE).to_pylist():
            raise StageError(f"teacher: document {row['doc_id']!r} has two scores for query {row['query_id']!r}")
        return _TAUGHT.format(source=sql)
    _require(columns, [teacher.positive, teacher.negative], "teacher_columns name it")
    sign = "-" if teacher.distances else ""
    positive, negative = quote(teacher.positive), quote(teacher.negative)
    scores = f"{sign}{positive}::float as positive_teacher, {sign}{negative}::float as negative_teacher"
    return f"(select *, {scores} from {sql} where {positive} is not null and {negative} is not null)"


def _count(inputs: Inputs, relation: str, values: dict[str, Any]) -> int:
    return int(inputs.table(f"select count(*) from {relation}", values or None).column(0)[0].as_py())
