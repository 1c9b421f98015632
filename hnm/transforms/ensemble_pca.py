"""The ensemble's principal components: fitted here, applied by `ensemble`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from hnm.context import Context
from hnm.errors import StageError, nearest
from hnm.inputs import Inputs
from hnm.sqltext import quote
from hnm.transform import PREVIOUS, Params, transform
from hnm.transforms._fusion import Fusion, open_fusion

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_FIT_ON = {"documents": "kind = 'document'", "queries": "kind = 'query'", "both": "true"}


class EnsemblePcaParams(Params):
    """`weights`: by input name, 1 where none is given; only their ratios count.

    `variance`: share of the variance that the kept components explain; 1 drops only the directions in which the rows
    do not vary, null keeps the full width. `center`: subtract the mean first.
    `fit_on`: which texts are looked at; `sample`: at most so many of them, chosen by a hash of their id and `seed`.
    `max_drift`: a fit is kept while texts come and go, until the share of their variance that its components explain is
    lower by more than this than when it was made, or more than this share is a move of their mean; 0 or less fits anew
    whenever the vectors change.
    """

    weights: dict[str, Weight] = Field(default_factory=dict)
    variance: float | None = Field(default=0.95, gt=0, le=1)
    center: bool = True
    fit_on: Literal["documents", "queries", "both"] = "documents"
    sample: int | None = Field(default=None, ge=1)
    seed: int = 0
    max_drift: Annotated[float, Field(allow_inf_nan=False)] = 0.01


@transform(params=EnsemblePcaParams, inputs=None, optional_inputs=(PREVIOUS,), uses="all", packages=("numpy",))
def ensemble_pca(inputs: Inputs, params: EnsemblePcaParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """Principal components of the weighted concatenation of unit vectors (arXiv 2505.18366: 95 % of the variance).

    With u_j the unit vector of model j, w_j its weight and W the sum of weights, a text's fused vector
    is x = concat_j(sqrt(w_j / W) u_j), so that x·y = sum_j (w_j / W) cos_j(x, y), the weighted mean of their cosines.
    Of the covariance of x (second moments about zero when not `center`) the eigenvectors of largest eigenvalues are
    kept. Each has its largest entry (by absolute value) positive.

    Inputs: tables of embeddings (kind, id, text_hash, vector) under any names. When `previous` (this stage's last
    output by the same code and parameters) still fits, by `max_drift`, it is the result again.
    Output: component, explained_variance_ratio, vector (float32), layout. Rows 1..k hold the components with the
    scaling folded in, row 0 the mean of the unscaled concatenation c = concat_j(u_j) (zeros when not `center`): the
    projection of a text is P (c - mean), which needs no weights. `layout` names the inputs and their widths in order.

    Texts whose vectors are all zero (blank ones) are left out. Memory: width x width numbers and one batch.
    Raises StageError for weights that do not fit the inputs, tables with different rows, and no text to fit on.
    """
    import numpy as np

    fusion = open_fusion(inputs, [name for name in inputs.tables if name != PREVIOUS])
    scale = _scale(fusion, params.weights)
    if PREVIOUS in inputs and params.max_drift > 0:
        drift = _drift(inputs, fusion, params, scale, context)
        if drift is not None and drift <= params.max_drift:
            context.note(f"the last fit is kept: it has drifted by {drift:+.4f}, and {params.max_drift} is allowed")
            context.record(drift=drift)
            yield from inputs.sql("select * from previous order by component")
            return
    count, mean, moments = _moments(fusion, params, context)
    if not params.center:
        mean = np.zeros(fusion.width)
    covariance = (moments - np.outer(mean, mean)) * np.outer(scale, scale)
    ratios, directions = _principal(covariance)
    kept = _components_to_keep(ratios, params.variance)
    context.record(fitted_on=count, width=fusion.width, components=kept, explained_variance=float(ratios[:kept].sum()))
    yield _batch(fusion.layout, mean, ratios[:kept], directions[:kept] * scale)


def _scale(fusion: Fusion, weights: dict[str, float]) -> "NDArray[np.float64]":
    """sqrt(w_j / W) for each column of a wide row."""
    import numpy as np

    unknown = sorted(weights.keys() - set(fusion.names))
    if unknown:
        hint = nearest(unknown[0], fusion.names) or f"inputs: {', '.join(fusion.names)}"
        raise StageError(f"there is a weight for {unknown[0]!r}, which is no input", hint=hint)
    by_model = np.array([weights.get(name, 1.0) for name in fusion.names])
    if by_model.sum() == 0:
        raise StageError("all weights of the ensemble are zero", hint="give at least one model a positive weight")
    return np.repeat(np.sqrt(by_model / by_model.sum()), fusion.widths)


def _rows(fusion: Fusion, params: EnsemblePcaParams, context: Context, doing: str) -> Iterator["NDArray[np.float64]"]:
    """The wide rows to fit on, unscaled, in blocks; none of texts whose vectors are all zero."""
    condition = _FIT_ON[params.fit_on]
    if params.sample:
        by_hash = f"md5('{params.seed}:' || kind || ':' || id)"
        texts = f"select kind, id from {quote(fusion.names[0])} where {condition}"
        condition = f"(kind, id) in ({texts} order by {by_hash} limit {params.sample})"
    with context.progress(doing, params.sample, "texts") as advance:
        for batch, wide in fusion.rows(condition):
            yield wide[wide.any(axis=1)]
            advance(batch.num_rows)


def _moments(
    fusion: Fusion, params: EnsemblePcaParams, context: Context
) -> tuple[int, "NDArray[np.float64]", "NDArray[np.float64]"]:
    """Over the rows to fit on: how many, their mean, and the mean of their outer products."""
    import numpy as np

    count, total, products = 0, np.zeros(fusion.width), np.zeros((fusion.width, fusion.width))
    for wide in _rows(fusion, params, context, "fitting the ensemble"):
        count += len(wide)
        total += wide.sum(axis=0)
        products += wide.T @ wide
    if count == 0:
        raise StageError(
            "there is nothing to fit the ensemble on", why=f"no vector that is not zero among the {params.fit_on}"
        )
    return count, total / count, products / count


def _drift(
    inputs: Inputs, fusion: Fusion, params: EnsemblePcaParams, scale: "NDArray[np.float64]", context: Context
) -> float | None:
    """By how much less of the variance the last components explain of the present texts than of those of their fit.

    Where that is more, the share of the variance around the last mean that is the move of the mean: components may
    explain that as well, and those of full width explain everything, whatever the texts.
    None when the last fit was over other tables or widths, and when there is no variance. To project all texts takes a
    part of the time of fitting anew.
    """
    import numpy as np

    from hnm.models.vectors import to_matrix

    columns = "vector, layout, explained_variance_ratio"
    last = inputs.table(f"select {columns} from previous order by component").combine_chunks()
    if last.column("layout")[0].as_py() != fusion.layout:
        return None
    rows = to_matrix(last.column("vector").chunk(0), PREVIOUS).astype(np.float64)
    center, components = rows[0], rows[1:]
    count, total, explained, moved = 0, 0.0, 0.0, np.zeros(fusion.width)
    for wide in _rows(fusion, params, context, "measuring the drift of the ensemble"):
        away = wide - center
        total += float(np.square(away * scale).sum())
        explained += float(np.square(away @ components.T).sum())
        count += len(away)
        moved += away.sum(axis=0) * scale
    if total == 0:
        return None
    then = sum(ratio for ratio in last.column("explained_variance_ratio").to_pylist() if ratio is not None)
    lost = float(then - explained / total)
    return max(lost, float(np.square(moved).sum()) / (count * total)) if params.center else lost


def _principal(covariance: "NDArray[np.float64]") -> tuple["NDArray[np.float64]", "NDArray[np.float64]"]:
    """Shares of the variance, largest first, and the eigenvectors as rows, each with its largest entry positive."""
    import numpy as np

    values, vectors = np.linalg.eigh(covariance)
    values, rows = np.clip(values[::-1], 0, None), vectors.T[::-1]
    # Rounded, so that of two entries as large as each other the first counts, whatever the last bits say.
    largest = rows[np.arange(len(rows)), np.abs(rows).round(6).argmax(axis=1)]
    return values / max(values.sum(), np.finfo(float).tiny), rows * np.sign(largest)[:, None]


def _components_to_keep(ratios: "NDArray[np.float64]", variance: float | None) -> int:
    """The smallest number of leading components that explains the share `variance`; at least one."""
    import numpy as np

    if variance is None:
        return len(ratios)
    varying = int((ratios > ratios[0] * len(ratios) * np.finfo(float).eps).sum())
    reaching = 1 + int(np.searchsorted(np.cumsum(ratios), variance)) if variance < 1 else varying
    return max(1, min(reaching, varying))


def _batch(
    layout: str, mean: "NDArray[np.float64]", ratios: "NDArray[np.float64]", components: "NDArray[np.float64]"
) -> "pa.RecordBatch":
    import numpy as np
    import pyarrow as pa

    from hnm.models.vectors import to_column

    columns = {
        "component": pa.array(range(len(components) + 1), pa.int32()),
        "explained_variance_ratio": pa.array([None, *ratios], pa.float64()),
        "vector": to_column(np.vstack([mean, components]).astype(np.float32)),
        "layout": pa.repeat(layout, len(components) + 1),
    }
    return pa.record_batch(list(columns.values()), names=list(columns))
