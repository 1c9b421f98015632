"""Tab-separated lines without quotes: what would break a line becomes a space.

That are all control characters below the space (tab, line feed and carriage return among them), and the characters
beyond ASCII at which Unicode breaks lines.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
SEPARATOR = 0xFF
"""A byte that no UTF-8 text has, so that all texts can be cleaned at once after they were joined."""
TAB, LINE_FEED, SPACE = 0x09, 0x0A, 0x20
WIDE_BREAKS = "[\\x{85}\\x{2028}\\x{2029}]"


def tsv_lines(batch: pa.RecordBatch) -> Bytes:
    """The rows as lines, UTF-8. A missing value is an empty field."""
    texts = [column.cast(pa.string()) for column in batch.columns]
    joined = _joined(texts)
    if _has_wide_breaks(joined):  # they are rare, and replacing them takes far longer than looking for them
        joined = _joined([pc.replace_substring_regex(column, WIDE_BREAKS, " ") for column in texts])
    ends = np.flatnonzero(joined == SEPARATOR)
    lines = np.maximum(joined, np.uint8(SPACE))
    lines[ends] = TAB
    lines[ends[batch.num_columns - 1 :: batch.num_columns]] = LINE_FEED
    return lines


def _joined(columns: list[pa.StringArray]) -> Bytes:
    """All values, row by row, a separator after each."""
    values = [column.cast(pa.binary()) for column in columns]
    rows = pc.binary_join_element_wise(*values, b"", bytes([SEPARATOR]), null_handling="replace")
    offsets = np.frombuffer(rows.buffers()[1], np.int32)
    data = rows.buffers()[2]
    return np.frombuffer(data, np.uint8, count=int(offsets[len(rows)])) if data else np.empty(0, np.uint8)


def _has_wide_breaks(found: Bytes) -> bool:
    """Whether U+0085 (C2 85), U+2028 or U+2029 (E2 80 A8, E2 80 A9) is among the characters."""
    # One look for both first bytes, which differ in a single bit; few places are left then.
    first = np.flatnonzero((found & 0xDF) == 0xC2)
    first = first[first < len(found) - 2]  # every text ends in a separator, so a break ends before the last byte
    one, two, three = (found[first + place] for place in range(3))
    short = (one == 0xC2) & (two == 0x85)
    return bool((short | ((one == 0xE2) & (two == 0x80) & ((three | 1) == 0xA9))).any())
