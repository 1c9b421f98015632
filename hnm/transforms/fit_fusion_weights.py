"""Weights of the retrievers for a fusion, fitted on queries whose answers are known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from hnm.context import Context
from hnm.errors import StageError, nearest
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from hnm.project.templating import Templates

Weight = Annotated[float, Field(ge=0, lt=1e9)]
Weights = tuple[float, ...]
DEPTH = 10
LEAST_GAIN = 1e-9
"""What a change of weights must gain: less is rounding."""
MACROS = Path("sql/macros")


class FusionWeightsParams(Params):
    """What is fitted to what.

    `method`: of the fusion, as in the var `fusions`. `measure`: what is made high, in the mean over queries.
    `splits`: whose queries; null for all. `min_grade`: grade from which a judgment is a right answer.
    `retrievers`: null for all in `candidates` but random ones. `grid`: the weights that are tried for each.
    `rounds`: passes over all retrievers at most. `rrf_k`: the constant of the method rrf.
    """

    method: str = Field(default="min_max", pattern=r"^\w+$")
    measure: Literal["RR@10", "nDCG@10"] = "RR@10"
    splits: tuple[str, ...] | None = ("dev",)
    min_grade: int = 1
    retrievers: tuple[str, ...] | None = Field(default=None, min_length=1)
    grid: tuple[Weight, ...] = Field(default=(0, 0.25, 0.5, 1, 2, 4), min_length=1)
    rounds: int = Field(default=5, ge=1)
    rrf_k: int = Field(default=60, ge=0)


def _files(params: FusionWeightsParams, root: Path) -> list[Path]:
    """The macros that give the fused scores."""
    from hnm.project.templating import SHIPPED_MACROS

    names = [f"fuse_{params.method}.sql", "fused_columns.sql", "reciprocal_rank_fusion.sql"]
    return [path for folder in (SHIPPED_MACROS, root / MACROS) for name in names if (path := folder / name).is_file()]


@transform(params=FusionWeightsParams, inputs=("candidates", "relevant"), files=_files)
def fit_fusion_weights(inputs: Inputs, params: FusionWeightsParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """The weights with which a fusion of the retrievers ranks right answers highest, by coordinate search.

    `relevant` holds the right answers (query_id, doc_id, split; with a column `grade`, those of `min_grade` and those
    without a grade): judgments or positives. A query counts with 0 when nothing right is among its candidates.

    The search starts from equal weights or, where that is better, from the best retriever alone. It goes over the
    retrievers by name and gives each the weight of `grid` that raises the mean measure most, until a pass raises it no
    more. Simple and repeatable; it may stop at weights that are best only one by one. Fused scores are those of the
    macros that `scored_candidates` uses, equal ones ranked by doc_id.

    Output, by retriever: retriever, weight, alone (the measure with this retriever alone), measure, value (with the
    weights), value_equal (with equal weights), queries. `value` is of the queries that were fitted to, and so too
    good to be expected of others.

    Memory: the candidates of those queries. Measures: RR (Voorhees, TREC-8, 1999) and nDCG with gains
    of 1 (Järvelin and Kekäläinen, TOIS 20(4), 2002), both over the first ten.

    Raises StageError when there is nothing to fit to, for a retriever without candidates, and for one whose name cannot
    be a column's; TemplateError for a method that does not exist.
    """
    import pyarrow as pa

    trial = _trial(inputs, params, context.root)
    count = len(trial.retrievers)
    starts = [(1.0,) * count, *(tuple(float(i == j) for j in range(count)) for i in range(count))]
    with context.progress("fitting weights", None, "passes") as advance:
        values = trial.values(starts)
        weights, value = max(zip(starts, values, strict=True), key=lambda pair: pair[1])
        for _ in range(params.rounds):
            before = value
            for place in range(count):
                tried = [(*weights[:place], weight, *weights[place + 1 :]) for weight in params.grid]
                tried = [some for some in tried if any(some)]
                found = zip(tried, trial.values(tried) if tried else [], strict=True)
                best, best_value = max(found, key=lambda pair: pair[1], default=(weights, value))
                if best_value > value + LEAST_GAIN:
                    weights, value = best, best_value
            advance(1)
            if value <= before:
                break
    context.record(value=value, value_equal=values[0], queries=trial.queries)
    yield pa.RecordBatch.from_pylist(
        [
            {
                "retriever": name,
                "weight": weight,
                "alone": by_itself,
                "measure": params.measure,
                "value": value,
                "value_equal": values[0],
                "queries": trial.queries,
            }
            for name, weight, by_itself in zip(trial.retrievers, weights, values[1:], strict=True)
        ]
    )


@dataclass(frozen=True)
class _Trial:
    """What weights are tried on: `inputs` has `pooled` (a row per query and document) and `answers` (query_id, doc_id).

    `right`: by query, how many right answers it has.
    """

    inputs: Inputs
    params: FusionWeightsParams
    templates: "Templates"
    retrievers: tuple[str, ...]
    right: dict[str, int]

    @property
    def queries(self) -> int:
        return len(self.right)

    def values(self, tried: Sequence[Weights]) -> list[float]:
        """The mean measure with each of the weights."""
        import numpy as np

        places = ", ".join(
            f"if(fused_{i} is null, null, row_number() over "
            f"(partition by query_id order by fused_{i} desc nulls last, doc_id)) as place_{i}"
            for i in range(len(tried))
        )
        found = self.inputs.table(
            f"select * from (select query_id, doc_id, {places} from ({self._fused(tried)})) "
            "semi join answers using (query_id, doc_id) order by query_id, doc_id"
        )
        queries = found.column("query_id").to_pylist()
        columns = [found.column(f"place_{i}").to_numpy().astype(np.float64) for i in range(len(tried))]
        return [self._mean(queries, column) for column in columns]

    def _fused(self, tried: Sequence[Weights]) -> str:
        """SQL of the pooled documents with a column fused_<i> for the weights in place i."""
        from hnm.project.templating import Rendering

        fusions = [
            {"name": f"w{i}", "method": self.params.method, "weights": dict(zip(self.retrievers, weights, strict=True))}
            for i, weights in enumerate(tried)
        ]
        variables = {"retrievers": list(self.retrievers), "fusions": fusions, "rrf_k": self.params.rrf_k}
        names = ", ".join(f"fused_w{i} as fused_{i}" for i in range(len(tried)))
        text = (
            f"select query_id, doc_id, {names} from (select *, "
            "{{ fused_columns(var('fusions'), var('retrievers')) }} from (select *, "
            "{{ scaled_scores(var('retrievers')) }} from pooled))"
        )
        return self.templates.render_sql(text, MACROS / "fusion.sql", Rendering("fusion", variables))

    def _mean(self, queries: list[str], places: "NDArray[np.float64]") -> float:
        """The mean measure, given the places of the right answers that are among the candidates (nan: not ranked)."""
        import math

        gained = dict.fromkeys(self.right, 0.0)
        for query, place in zip(queries, places.tolist(), strict=True):
            if place <= DEPTH:
                if self.params.measure == "RR@10":
                    gained[query] = max(gained[query], 1 / place)
                else:
                    gained[query] += 1 / math.log2(place + 1)
        if self.params.measure == "nDCG@10":
            ideal = [sum(1 / math.log2(place + 1) for place in range(1, n + 1)) for n in range(DEPTH + 1)]
            gained = {query: gain / ideal[min(self.right[query], DEPTH)] for query, gain in gained.items()}
        return math.fsum(gained.values()) / len(gained)


def _trial(inputs: Inputs, params: FusionWeightsParams, root: Path) -> _Trial:
    from hnm.project.templating import Templates

    conditions, values = ["true"], dict[str, Any]()
    if params.splits is not None:
        conditions.append("split in (select unnest($splits::varchar[]))")
        values["splits"] = list(params.splits)
    if "grade" in inputs.table("select * from relevant limit 0").schema.names:
        conditions.append("coalesce(grade, $grade) >= $grade")
        values["grade"] = params.min_grade
    chosen = f"select distinct query_id, doc_id from relevant where {' and '.join(conditions)} order by all"
    answers = inputs.table(chosen, values)
    if not answers.num_rows:
        whose = "any query" if params.splits is None else f"queries of {', '.join(params.splits)}"
        raise StageError(f"there is nothing to fit to: `relevant` has no right answer for {whose}")
    names = sorted(inputs.table("select distinct retriever from candidates where retriever <> 'random'")[0].to_pylist())
    for name in params.retrievers or ():
        if name not in names:
            raise StageError(
                f"{name!r} has no candidates", hint=nearest(name, names) or f"there are: {', '.join(names)}"
            )
    retrievers = tuple(sorted(set(params.retrievers or names)))
    for name in retrievers:
        if not name.isidentifier():
            raise StageError(
                f"the retriever {name!r} cannot be fused", hint="call it by letters, digits and underscores"
            )
    if not retrievers:
        raise StageError("there are no candidates to fuse", hint="`candidates` needs at least one retriever's")
    right: dict[str, int] = {}
    for query in answers.column("query_id").to_pylist():
        right[query] = right.get(query, 0) + 1
    given = Inputs.of(pooled=_pooled(inputs, retrievers, list(right)), answers=answers)
    return _Trial(given, params, Templates((root / MACROS,)), retrievers, right)


def _pooled(inputs: Inputs, retrievers: tuple[str, ...], queries: list[str]) -> "pa.Table":
    """rank_<retriever> and score_<retriever> of every query and document, as in `scored_candidates`."""
    columns = ", ".join(
        f"min(rank) filter (retriever = '{name}') as rank_{name}, "
        f"max(score) filter (retriever = '{name}') as score_{name}"
        for name in retrievers
    )
    return inputs.table(
        f"select query_id, doc_id, {columns} from candidates "
        "where query_id in (select unnest($queries::varchar[])) group by query_id, doc_id order by query_id, doc_id",
        {"queries": queries},
    )
