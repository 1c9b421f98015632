"""Transform: how several models score positives and each strategy's negatives, as quantiles."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.models.resolve import model_files, model_identity
from hnm.transform import Params, transform

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from sentence_transformers import CrossEncoder

POSITIVE = "positive"
PERCENTS = (5, 25, 50, 75, 95)

# `md5` is the same everywhere, so that every model scores the same pairs. Of each strategy, the pair's first negative.
_PAIRS = """
with held as (
    select *, md5(concat_ws(chr(31), query_id, positive_id)) as place from triplets
    where list_contains($splits, split) and ($strategies is null or list_contains($strategies, strategy))
), taken as (
    select place, query_id, positive_id from held group by all order by all limit $groups
), chosen as (
    select held.* from held semi join taken using (query_id, positive_id)
    qualify row_number() over (
        partition by query_id, positive_id, strategy order by selected_rank nulls last, negative_id
    ) = 1
)
select place, query_id, positive_id, '' as class, left(query, $characters) as query,
    left(any_value(positive), $characters) as document
from chosen group by all
union all
select place, query_id, positive_id, strategy, left(query, $characters), left(negative, $characters) from chosen
order by place, query_id, positive_id, class
"""


class ScoreTripletsParams(Params):
    """`models`: models that are scored as they are, by the name that the result gives them.

    `strategies`: whose negatives are scored; null for all. `splits`: of triplets that no model was trained on.
    `groups`: pairs of query and positive that are scored, the same ones for every model.
    `max_length`: tokens of query and document together; as in training.
    """

    models: dict[str, str] = Field(default_factory=dict)
    strategies: tuple[str, ...] | None = None
    splits: tuple[str, ...] = ("dev",)
    groups: int = Field(default=100, ge=1)
    max_length: int = Field(default=256, ge=8)
    batch_size: int = Field(default=32, ge=1)


def _identity(params: ScoreTripletsParams) -> dict[str, str]:
    return {
        f"{name} {fact}": value
        for name, model in params.models.items()
        for fact, value in model_identity(model).items()
    }


def _files(params: ScoreTripletsParams, root: "Path") -> "list[Path]":
    return [path for model in params.models.values() for path in model_files(model, root)]


@transform(
    params=ScoreTripletsParams,
    inputs=None,
    uses="all",
    packages=("sentence-transformers", "transformers", "torch"),
    version_by=("model", "class", "pairs"),
    files=_files,
    identity=_identity,
)
def score_triplets(inputs: Inputs, params: ScoreTripletsParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """What each model makes of positives and of each strategy's negatives: where the scores lie, how far apart.

    Inputs: triplets(query_id, positive_id, negative_id, query, positive, negative, strategy, split, selected_rank), and
    model stages under the names that the result gives them.
    Output: (model, class, pairs, mean, p05, p25, p50, p75, p95, above_positive), one row per model and class, which is
    `positive` or a strategy. Scores are logits, higher is better. `above_positive`: share of the negatives that score
    at least as high as their positive; null for positives. The first negative of each pair and strategy counts.

    Models are loaded one after the other. Memory: one model, and the texts of `groups` groups.
    Raises StageError when no triplet is of these splits and strategies.
    """
    rows = _rows(inputs, params, context)
    models = [name for name in inputs.models if name != "triplets"]
    with context.progress("scoring", len(rows) * (len(models) + len(params.models)), "pairs") as advance:
        for name in (*params.models, *models):
            yield _summary(name, rows, _scores(_model(name, inputs, params, context), rows, params, context))
            advance(len(rows))


def _rows(inputs: Inputs, params: ScoreTripletsParams, context: Context) -> list[dict[str, Any]]:
    from hnm.models.cross_encoder import CHARACTERS_PER_TOKEN

    values = {
        "splits": list(params.splits),
        "strategies": list(params.strategies) if params.strategies else None,
        "groups": params.groups,
        "characters": params.max_length * CHARACTERS_PER_TOKEN,
    }
    rows: list[dict[str, Any]] = inputs.table(_PAIRS, values).to_pylist()
    if not rows:
        raise StageError(
            f"{context.stage}: there are no triplets of {' or '.join(params.splits)} to score",
            hint="name in `splits` a split that has some, and in `strategies` strategies that they have",
        )
    return rows


def _model(name: str, inputs: Inputs, params: ScoreTripletsParams, context: Context) -> "CrossEncoder":
    from hnm.models.cross_encoder import load_cross_encoder, open_cross_encoder
    from hnm.models.device import limit_threads

    limit_threads(context.settings)
    if name in params.models:
        return load_cross_encoder(params.models[name], context.root, context.settings, params.max_length)
    return open_cross_encoder(inputs.model(name), context.settings, params.max_length)


def _scores(
    model: "CrossEncoder", rows: list[dict[str, Any]], params: ScoreTripletsParams, context: Context
) -> list[float]:
    from hnm.models.cross_encoder import score_pairs

    pairs = [(row["query"], row["document"]) for row in rows]
    scores: list[float] = score_pairs(model, pairs, context.settings, params.batch_size).tolist()
    return scores


def _summary(model: str, rows: list[dict[str, Any]], scores: list[float]) -> "pa.RecordBatch":
    """One row per class. Rows come by pair, its positive first."""
    import numpy as np
    import pyarrow as pa

    by_class: dict[str, list[float]] = {}
    above: dict[str, list[bool]] = {}
    of_positive = 0.0
    for row, score in zip(rows, scores, strict=True):
        by_class.setdefault(row["class"] or POSITIVE, []).append(score)
        if row["class"]:
            above.setdefault(row["class"], []).append(score >= of_positive)
        else:
            of_positive = score
    summaries = [
        {
            "model": model,
            "class": name,
            "pairs": len(values),
            "mean": float(np.mean(values)),
            **{f"p{percent:02}": float(np.percentile(values, percent)) for percent in PERCENTS},
            "above_positive": float(np.mean(above[name])) if name in above else None,
        }
        for name, values in by_class.items()
    ]
    numbers = ("mean", *(f"p{percent:02}" for percent in PERCENTS), "above_positive")
    fields = [("model", pa.string()), ("class", pa.string()), ("pairs", pa.int64())]
    return pa.RecordBatch.from_pylist(summaries, pa.schema([*fields, *((name, pa.float64()) for name in numbers)]))
