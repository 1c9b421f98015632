"""Tab-separated lines: a row is a line and a field is a field, whatever the texts hold."""

import re

import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hnm.dataset.tsv import tsv_lines

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.none()
BREAKS = re.compile("[\x00-\x1f\x85\u2028\u2029]")


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5), st.integers(0, 2))
@example([("\u2028\u00e9", "\x85")], 0)
@example([("", None)], 0)
def test_what_would_break_a_line_becomes_a_space(rows, skipped):
    texts = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)] or [pa.array([], pa.string())] * 2
    batch = pa.record_batch(texts, ["first", "second"]).slice(skipped)
    lines = bytes(tsv_lines(batch)).decode()
    cleaned = [tuple(BREAKS.sub(" ", text or "") for text in row) for row in rows[skipped:]]
    assert lines == "".join(f"{first}\t{second}\n" for first, second in cleaned)
    assert len(lines.splitlines()) == len(cleaned)


def test_numbers_are_written_as_numbers():
    assert bytes(tsv_lines(pa.record_batch({"id": ["q"], "grade": [1]}))) == b"q\t1\n"
