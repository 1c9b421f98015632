"""Long documents cut into passages, which an encoder reads whole."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 1_024
_WORD = re.compile(r"\S+")


class PassagesParams(Params):
    """`size` of a passage and `overlap` with the one before, in `unit`s: `words` between white space, or `characters`
    for languages without spaces. `title`: put the document's title, and a line break, before every passage.
    """

    size: int = Field(default=128, ge=1)
    overlap: int = Field(default=32, ge=0)
    unit: Literal["words", "characters"] = "words"
    title: bool = True

    @model_validator(mode="after")
    def _goes_on(self) -> "PassagesParams":
        if self.overlap >= self.size:
            raise ValueError("overlap must be less than size")
        return self


@transform(params=PassagesParams, inputs=("corpus",), scope="row")
def split_passages(inputs: Inputs, params: PassagesParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """Passages of every document of `corpus` (doc_id, title, text), in order.

    A passage begins `size` - `overlap` units after the one before; the last one, which may be shorter, ends with the
    text. The text in between is as it was, white space included. A document whose text is blank has its title as its
    only passage; one without either, none.

    Output: doc_id, passage_id (the document's id, `#`, and the passage's place), place (from 1), text; ordered by
    document and place. Memory: one batch of documents.

    Raises StageError for a document without an id.
    """
    import pyarrow as pa

    schema = pa.schema(
        [("doc_id", pa.string()), ("passage_id", pa.string()), ("place", pa.int32()), ("text", pa.string())]
    )
    yield pa.RecordBatch.from_pylist([], schema)
    texts = "coalesce(title, '') as title, coalesce(text, '') as text"
    rows = f"select doc_id::varchar as doc_id, {texts} from corpus order by corpus.doc_id"
    documents = passages = 0
    with context.progress("splitting", inputs.count("corpus"), "documents") as advance:
        for batch in inputs.sql(rows, batch_rows=BATCH_ROWS):
            if missing := batch.column("doc_id").null_count:
                raise StageError(f"corpus: {missing:,} rows have no doc_id")
            found = [
                {"doc_id": row["doc_id"], "passage_id": f"{row['doc_id']}#{place}", "place": place, "text": text}
                for row in batch.to_pylist()
                for place, text in enumerate(_passages(row["title"], row["text"], params), start=1)
            ]
            documents, passages = documents + len(batch), passages + len(found)
            yield pa.RecordBatch.from_pylist(found, schema)
            advance(len(batch))
    context.record(documents=documents, passages=passages)


def _passages(title: str, text: str, params: PassagesParams) -> list[str]:
    """The texts of a document's passages."""
    text, head = text.strip(), title.strip() if params.title else ""
    if params.unit == "words":
        spans = [word.span() for word in _WORD.finditer(text)]
    else:
        spans = [(place, place + 1) for place in range(len(text))]
    starts = range(0, max(1, len(spans) - params.overlap), params.size - params.overlap) if spans else ()
    bodies = [text[spans[first][0] : spans[first : first + params.size][-1][1]] for first in starts]
    if not bodies:
        return [title.strip()] if title.strip() else []
    return [f"{head}\n{body}" if head else body for body in bodies]
