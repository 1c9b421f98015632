"""Transform: from values per query to means over groups of queries, with intervals."""

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hnm.context import Context
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa

BY_GROUP = """
select grouping, "group", split, measure, model, list(value order by query_id) as per_query
from by_query join groups using (query_id)
group by all order by all
"""


class SummarizeGroupsParams(Params):
    """`samples`: bootstrap draws; `confidence`: of the intervals."""

    samples: int = Field(default=2_000, ge=100)
    confidence: float = Field(default=0.95, gt=0, lt=1)
    seed: int = 0


@transform(params=SummarizeGroupsParams, inputs=("by_query", "groups"), packages=("numpy",))
def summarize_groups(inputs: Inputs, params: SummarizeGroupsParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """The mean of each measure for each model over each group of queries, with a bootstrap interval.

    Inputs: by_query(model, split, query_id, measure, value), groups(query_id, grouping, group), in which a query may
    stand once for each `grouping`. Output: (grouping, group, model, split, measure, queries, value, ci_low, ci_high),
    higher is better. Within a group all models are drawn with the same queries. Memory: the values of one group.
    """
    rows = (row for batch in inputs.sql(BY_GROUP, batch_rows=2_048) for row in batch.to_pylist())
    yield _batch([])
    with context.progress("summing up groups", None, "groups") as advance:
        for key, systems in groupby(rows, lambda row: (row["grouping"], row["group"], row["split"], row["measure"])):
            yield _batch([row for system in systems for row in _summary(key, system, params)])
            advance(1)


def _summary(key: tuple[Any, ...], system: dict[str, Any], params: SummarizeGroupsParams) -> list[dict[str, Any]]:
    import numpy as np

    from hnm.evaluation.means import mean_rows

    grouping, group, split, measure = key
    name = {"grouping": grouping, "group": group, "model": system["model"], "split": split, "measure": measure}
    return mean_rows([name], np.array(system["per_query"], np.float64)[:, None], params)


def _batch(rows: list[dict[str, Any]]) -> "pa.RecordBatch":
    import pyarrow as pa

    texts, numbers = ("grouping", "group", "model", "split", "measure"), ("value", "ci_low", "ci_high")
    schema = pa.schema(
        [
            *((name, pa.string()) for name in texts),
            ("queries", pa.int64()),
            *((name, pa.float64()) for name in numbers),
        ]
    )
    return pa.RecordBatch.from_pylist(rows, schema)
