"""Examples by pair and by query, in SQL over the index, and their texts as lists."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hnm.dataset.examples import Examples, positions

GROUPS = """
with pairs as (
    select split, query_id, positive_id, arg_min(position, place) as position, min(place) as place
    from examples group by split, query_id, positive_id
), of_pair as (
    select *, row_number() over (partition by split, query_id, positive_id order by place) as nth
    from (
        select split, query_id, positive_id, negative_id, arg_min(position, place) as position, min(place) as place
        from examples group by split, query_id, positive_id, negative_id
    )
), of_query as (
    select *, row_number() over (partition by split, query_id order by place) as nth
    from (
        select split, query_id, negative_id, arg_min(position, place) as position, min(place) as place
        from examples
        where (split, query_id, negative_id) not in (select (split, query_id, positive_id) from pairs)
        group by split, query_id, negative_id
    )
), negatives_of_pair as (
    select
        split, query_id, positive_id, count(*) as width,
        list({'position': position, 'is_positive': false, 'id': negative_id} order by nth) as negatives
    from of_pair where nth <= coalesce($negatives, nth) group by split, query_id, positive_id
), negatives_of_query as (
    select
        split, query_id, count(*) as width,
        list({'position': position, 'is_positive': false, 'id': negative_id} order by nth) as negatives
    from of_query where nth <= coalesce($negatives, nth) group by split, query_id
), positives_of_query as (
    select
        split, query_id, min(place) as place, arg_min(position, place) as position, count(*) as positive_width,
        list({'position': position, 'is_positive': true, 'id': positive_id} order by place) as positives
    from pairs group by split, query_id
)
"""
"""`of_pair`, `of_query`: the negatives of a pair of query and positive, or of a query, each document once, numbered by
`nth`. A positive of the query is never among the negatives of the query. `width`: how many texts that is."""

BY_QUERY = f"""{GROUPS}
select split, query_id, position, positives, negatives, width + positive_width as width
from positives_of_query join negatives_of_query using (split, query_id) order by place
"""
"""One item per query that has negatives: all its positives and all its negatives."""


def texts(examples: Examples, lists: pa.ListArray) -> pa.ListArray:
    """The documents of lists of {position, is_positive, id}, as lists of texts."""
    flat = pa.RecordBatch.from_struct_array(lists.flatten())
    return as_lists(examples.documents(flat), lists)


def numbers(examples: Examples, lists: pa.ListArray, column: str) -> pa.ListArray:
    """A number of the row of each document, as lists of numbers."""
    flat = pa.RecordBatch.from_struct_array(lists.flatten())
    return as_lists(examples.rows.take(positions(flat, "position"), [column]).column(0), lists)


def ids(lists: pa.ListArray) -> pa.ListArray:
    """The ids of lists of documents."""
    return as_lists(lists.flatten().field("id"), lists)


def as_lists(values: pa.Array, like: pa.ListArray) -> pa.ListArray:
    """`values` cut into lists as long as those of `like`."""
    return pa.ListArray.from_arrays(pa.array(offsets(like)), values)


def offsets(lists: pa.ListArray) -> NDArray[np.int32]:
    """Where each list begins in the flattened values, and where the last one ends."""
    lengths = lists.value_lengths().to_numpy(zero_copy_only=False)
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
