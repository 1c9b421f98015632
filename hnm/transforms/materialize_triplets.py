"""Transform: training examples, with their texts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hnm.context import Context
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa

TEXTS_AT_ONCE = 2_048
ROWS_AT_ONCE = 8_192
BATCH_BYTES = 16 * 2**20

_PAIRED = (
    "from negatives join (select query_id, doc_id as positive_id, weight from positives) using (query_id, positive_id)"
)
_TEXTS = f"""
    with used as (select query_id, positive_id, doc_id {_PAIRED} where exclusion_reason is null)

    select kind, id, text
    from texts
    semi join (
        select 'query' as kind, query_id as id from used
        union select 'document', positive_id from used
        union select 'document', doc_id from used
    ) using (kind, id)
"""
_MEASURES = ("d_query_doc", "d_query_positive", "d_positive_doc", "fused_score", "strategy", "selected_rank", "weight")
# Only ids and numbers are joined and sorted here: with three texts a row that would take their memory.
_ROWS = f"""
    select
        query_id, positive_id, doc_id as negative_id, {", ".join(_MEASURES)}, negatives.split,
        queries.place as query, positive_texts.place as positive, negative_texts.place as negative
    {_PAIRED}
    join {{places}} as queries on queries.kind = 'query' and queries.id = query_id
    join {{places}} as positive_texts on positive_texts.kind = 'document' and positive_texts.id = positive_id
    join {{places}} as negative_texts on negative_texts.kind = 'document' and negative_texts.id = doc_id
    where exclusion_reason is null
    order by query_id, positive_id, strategy, selected_rank
"""
_IDS, _SIDES = ("query_id", "positive_id", "negative_id"), ("query", "positive", "negative")


class MaterializeTripletsParams(Params):
    """It has none."""


@transform(params=MaterializeTripletsParams, inputs=("negatives", "positives", "texts"))
def materialize_triplets(
    inputs: Inputs, params: MaterializeTripletsParams, context: Context
) -> Iterator["pa.RecordBatch"]:
    """A training example for every kept negative: its ids and texts, the distances between them, the strategy that
    chose it and the weight of its positive; ordered by query, positive, strategy and rank.

    Inputs: negatives(query_id, positive_id, doc_id, strategy, split, selected_rank, exclusion_reason and distances),
    positives(query_id, doc_id, weight), texts(kind, id, text). A negative whose texts are not all there is left out.

    Memory: 8 bytes for each text that is used, and batches of about 16 MB. The texts are copied once, into a file in
    the stage's work folder.
    """
    import numpy as np
    import pyarrow as pa

    from hnm.batches import slices
    from hnm.transforms._text_file import text_file

    with text_file(context.workdir, inputs.sql(_TEXTS, batch_rows=TEXTS_AT_ONCE)) as store:
        total = int(inputs.table(f"select count(*) {_PAIRED} where exclusion_reason is null").column(0)[0].as_py())
        rows = inputs.sql(_ROWS.format(places=store.relation()), batch_rows=ROWS_AT_ONCE)
        names = (*_IDS, *_SIDES, *_MEASURES, "split")
        with context.progress("joining texts", total, "triplets") as advance:
            for batch in rows:
                places = {side: batch[side].to_numpy() for side in _SIDES}
                widths = np.sum([store.sizes(of_side) for of_side in places.values()], axis=0)
                for part in slices(widths, lambda: BATCH_BYTES) if len(batch) else [slice(0, 0)]:
                    some = batch.slice(part.start, part.stop - part.start)
                    columns = {name: some[name] for name in names}
                    columns |= {side: store.texts(of_side[part]) for side, of_side in places.items()}
                    yield pa.record_batch(columns)
                    advance(len(some))
