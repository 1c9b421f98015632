"""Transform: a cross-encoder's scores of pairs, where the scores themselves count."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hnm.context import Context
from hnm.inputs import Inputs
from hnm.transform import transform
from hnm.transforms.rerank import RerankParams, rerank

if TYPE_CHECKING:
    import pyarrow as pa


@transform(
    params=RerankParams,
    inputs=rerank.inputs,
    optional_inputs=rerank.optional_inputs,
    scope=rerank.scope,
    uses=rerank.uses,
    packages=rerank.packages,
    files=rerank.files,
    identity=rerank.identity,
)
def judge(inputs: Inputs, params: RerankParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """What `rerank` makes of the same inputs, which see; but what comes after follows a change of any score.

    A reranked list is the same list as long as its order is. A judge's scores are compared with thresholds over all
    queries: an edited text may move a pair across one, and yet keep its place in its own list.
    """
    return rerank(inputs, params, context)
