"""Transform: training examples with their texts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.sqltext import quote
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa

TEXTS_AT_ONCE = 2_048
ROWS_AT_ONCE = 8_192
BATCH_BYTES = 16 * 2**20
IDS, SIDES = ("query_id", "positive_id", "negative_id"), ("query", "positive", "negative")
ORDER = ("query_id", "positive_id", "strategy", "selected_rank", "negative_id")

_TEXTS = """
    select kind, id, text
    from texts
    semi join (
        select 'query' as kind, query_id as id from rows
        union select 'document', positive_id from rows
        union select 'document', negative_id from rows
    ) using (kind, id)
"""


class MaterializeTripletsParams(Params):
    """It has none."""


@transform(params=MaterializeTripletsParams, inputs=("rows", "texts"))
def materialize_triplets(
    inputs: Inputs, params: MaterializeTripletsParams, context: Context
) -> Iterator["pa.RecordBatch"]:
    """The rows with the texts of their ids: query_id, positive_id, negative_id, query, positive, negative, then all
    other columns; ordered by query, positive, strategy, selected rank and negative.

    Inputs: rows(query_id, positive_id, negative_id and any others), texts(kind, id, text). A row whose texts are not
    all there is left out.

    Memory: 8 bytes for each text that is used, and batches of about 16 MB. The texts are copied once, into a file in
    the stage's work folder. Raises StageError when `rows` lacks an id, or has a column named as a text.
    """
    import numpy as np
    import pyarrow as pa

    from hnm.batches import slices
    from hnm.transforms._text_file import text_file

    others = [name for name in _columns(inputs) if name not in IDS]
    with text_file(context.workdir, inputs.sql(_TEXTS, batch_rows=TEXTS_AT_ONCE)) as store:
        rows = inputs.sql(_placed(others, store.relation()), batch_rows=ROWS_AT_ONCE)
        with context.progress("joining texts", inputs.count("rows"), "triplets") as advance:
            for batch in rows:
                places = {side: batch[side].to_numpy() for side in SIDES}
                widths = np.sum([store.sizes(of_side) for of_side in places.values()], axis=0)
                for part in slices(widths, lambda: BATCH_BYTES) if len(batch) else [slice(0, 0)]:
                    some = batch.slice(part.start, part.stop - part.start)
                    columns = {name: some[name] for name in (*IDS, *SIDES, *others)}
                    columns |= {side: store.texts(of_side[part]) for side, of_side in places.items()}
                    yield pa.record_batch(columns)
                    advance(len(some))


def _columns(inputs: Inputs) -> list[str]:
    names: list[str] = inputs.table("select * from rows limit 0").schema.names
    if missing := [name for name in IDS if name not in names]:
        raise StageError(f"rows have no column {missing[0]!r}", why=f"they have {', '.join(names)}")
    if taken := [name for name in SIDES if name in names]:
        raise StageError(f"rows have a column {taken[0]!r}", why="the text takes that name", hint="give it another one")
    return names


def _placed(others: list[str], places: str) -> str:
    """SQL for the rows in order, and in the columns of the texts their places.

    Only ids and numbers are joined and sorted: with three texts a row that would take their memory.
    """
    order = [name for name in ORDER if name in (*IDS, *others)]
    return f"""
        select {", ".join(f"rows.{quote(name)}" for name in (*IDS, *others))},
            queries.place as query, positives.place as positive, negatives.place as negative
        from rows
        join {places} as queries on queries.kind = 'query' and queries.id = query_id
        join {places} as positives on positives.kind = 'document' and positives.id = positive_id
        join {places} as negatives on negatives.kind = 'document' and negatives.id = negative_id
        order by {", ".join(f"rows.{name}" for name in order)}
    """
