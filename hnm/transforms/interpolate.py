"""Transform: reranked lists in which the ranks by retrievers count beside the reranker's score."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from hnm.context import Context
from hnm.errors import StageError, nearest
from hnm.inputs import Inputs
from hnm.sqltext import quote
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa

RERANKED, TEXTS = "reranked", "texts"
LISTS_PER_BATCH = 512

_LISTS = """
select
    query_id,
    {columns}
from reranked
{places}
group by query_id order by query_id
"""
_COLUMNS = ("doc_id", "score", "model_version", "dataset_version")
# A document that a list lacks stands one place behind the list's last; in a list without documents, all stand first.
_PLACES = """
left join (
    select query_id, doc_id, min(rank) as place from {table} semi join reranked using (query_id) group by all
) as {found} using (query_id, doc_id)
left join (select query_id, max(rank) as last from {table} group by all) as {whole} using (query_id)
"""


class InterpolateParams(Params):
    """`name`: what the result's `retriever` is called. `weights`: by input, how much the rank in that list counts."""

    name: str = Field(min_length=1)
    weights: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(min_length=1)


@transform(
    params=InterpolateParams,
    inputs=None,
    scope="key",
    packages=("numpy",),
    version_by=("query_id", "doc_id", "retriever", "rank", "model_version", "dataset_version"),
)
def interpolate(inputs: Inputs, params: InterpolateParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """Reranked lists in the order of z(score) + sum of weight x -ln(rank), without a second pass of the model.

    Inputs: `reranked`, the output of a stage `rerank`; `texts`, what that stage reads; and for each weight, under its
    name, the lists of a retriever: (query_id, doc_id, rank). z is the distance from the mean of the query's scores in
    standard deviations. Output: the columns of `rerank`, `score` being the sum, higher is better, equal ones in the
    reranker's order. A document that a retriever did not return counts as one place behind its last.

    `texts` is not read. A reranked list counts as unchanged as long as its order is: without this input, an edited text
    that moves scores, but no rank, would go unnoticed.

    Memory: some hundred lists. Raises StageError when an input is missing, or has no weight.
    """
    names = _weighted(inputs, params, context)
    yield _batch([])
    with context.progress("interpolating", None, "lists") as advance:
        for batch in inputs.sql(_query(names), batch_rows=LISTS_PER_BATCH):
            lists = batch.to_pylist()
            yield _batch([row for one in lists for row in _rows(one, params)])
            advance(len(lists))


def _weighted(inputs: Inputs, params: InterpolateParams, context: Context) -> list[str]:
    """The inputs that have a weight: all but the two that every such stage reads."""
    given = [name for name in inputs.tables if name not in (RERANKED, TEXTS)]
    for name in (RERANKED, TEXTS, *params.weights):
        if name not in inputs:
            raise StageError(
                f"{context.stage}: there is no input {name!r}",
                hint=nearest(name, given) or "inputs: {reranked: ref(reranked_hard), texts: ref(texts), ...}",
            )
    for name in given:
        if name not in params.weights:
            hint = nearest(name, params.weights) or f"weights: {{{name}: 0.1}}"
            raise StageError(f"{context.stage}: the input {name!r} has no weight", hint=hint)
    return list(params.weights)


def _query(names: list[str]) -> str:
    """One row per reranked list: its columns as lists, and the ranks by each retriever as one more."""
    columns = {column: f"reranked.{column}" for column in _COLUMNS}
    places = []
    for name in names:
        found, whole = quote(f"found by {name}"), quote(f"list of {name}")
        columns[_rank_by(name)] = f"coalesce({found}.place, {whole}.last + 1, 1)"
        places.append(_PLACES.format(table=quote(name), found=found, whole=whole))
    lists = (f"list({value} order by reranked.rank) as {quote(name)}" for name, value in columns.items())
    return _LISTS.format(columns=",\n    ".join(lists), places="".join(places))


def _rank_by(name: str) -> str:
    return f"rank by {name}"


def _rows(reranked: dict[str, Any], params: InterpolateParams) -> list[dict[str, Any]]:
    """The rows of one list."""
    import numpy as np

    from hnm.retrieval.interpolation import interpolated

    ranks = {name: reranked[_rank_by(name)] for name in params.weights}
    scores = interpolated(reranked["score"], ranks, params.weights)
    order = np.argsort(-scores, kind="stable")
    return [
        {
            "query_id": reranked["query_id"],
            "retriever": params.name,
            "rank": rank,
            **{column: reranked[column][place] for column in _COLUMNS},
            "score": scores[place],
        }
        for rank, place in enumerate(order.tolist(), 1)
    ]


def _batch(rows: list[dict[str, Any]]) -> "pa.RecordBatch":
    import pyarrow as pa

    from hnm.retrieval import candidates

    versions = [("model_version", pa.string()), ("dataset_version", pa.string())]
    return pa.RecordBatch.from_pylist(rows, pa.schema([*candidates.SCHEMA, *versions]))
