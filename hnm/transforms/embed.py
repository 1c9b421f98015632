"""Vectors of texts by one bi-encoder."""

import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.models.device import describe
from hnm.models.resolve import model_files, model_identity, resolve
from hnm.transform import PREVIOUS, Params, transform
from hnm.transforms._vector_parts import PartWriter, VectorParts

if TYPE_CHECKING:
    import pyarrow as pa

    from hnm.models.bi_encoder import BiEncoder

CHUNK_TEXTS = 8_192
"""Texts sorted by length together, so that a batch holds texts of like length and little padding."""
CALL_BATCHES = 4
"""Batches per call of the model, between which progress is shown and time is taken."""
OUTPUT_ROWS = 8_192
TRUNCATION_NOTED = 0.1


class EmbedParams(Params):
    """How texts become vectors.

    `model`: a bundled model, a folder relative to the project, or a hub's model (`name@revision` to pin it).
    `max_tokens`: tokens read of each text; null for as many as the model is set to.
    `query_prompt`, `document_prompt`: put before every text of that kind; null for the model's own prompt, if it has
    one, and "" for none.
    `dim`: keep only so many leading numbers (for models trained so: Matryoshka, arXiv 2205.13147); null for all.
    `normalize`: vectors of length 1.
    """

    model: str = Field(min_length=1)
    max_tokens: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=32, ge=1)
    query_prompt: str | None = None
    document_prompt: str | None = None
    normalize: bool = True
    dim: int | None = Field(default=None, ge=1)


def _identity(params: EmbedParams) -> dict[str, str]:
    return model_identity(params.model)


def _files(params: EmbedParams, root: Path) -> list[Path]:
    return model_files(params.model, root)


@transform(
    params=EmbedParams,
    inputs=("texts",),
    optional_inputs=(PREVIOUS,),
    scope="row",
    uses="all",
    packages=("sentence-transformers", "transformers", "torch"),
    version_by=("kind", "id", "text_hash"),
    files=_files,
    identity=_identity,
)
def embed(inputs: Inputs, params: EmbedParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """A vector for every row of `texts` (kind 'document' or 'query', id, text, text_hash).

    Output: kind, id, text_hash, vector (float32, fixed size), ordered by (kind, id). Equal text_hash means equal text,
    which is encoded once (twice when queries and documents have different prompts). The vector of a blank text is zero:
    its cosine with anything counts as 0.

    Vectors in `previous` (this stage's last output by the same encoder) are taken over. What is encoded goes to part
    files in the stage's work folder every 20 s, and a run after a kill goes on from there.

    `truncated_texts` and `truncated_share` are facts of the stage: of the texts encoded in this run, those that fill
    `max_tokens`, nearly all of which are longer. More than 10 % are noted.

    The floats depend slightly on the batch that a text was in (cosine 0.9999 and more), so the table's version goes by
    (kind, id, text_hash) and the encoder. Memory: 8,192 texts, 20 s of vectors and the hashes of the texts to encode,
    beside the model.

    Raises ModelError when the model cannot be had or yields what is not finite; StageError for a row without text_hash.
    """
    from hnm.models.bi_encoder import load_bi_encoder

    if resolve(params.model, context.root).kind == "hub":
        context.note(f"loading {params.model}; it is downloaded unless this machine has it already")
    encoder = load_bi_encoder(
        params.model, context.root, context.settings, params.max_tokens, params.dim, params.normalize
    )
    side = "(kind = 'query')::tinyint" if encoder.sides_differ(params.query_prompt, params.document_prompt) else "0"
    parts = VectorParts(context.workdir / "vectors", encoder.dimension, context)
    context.record(texts_resumed=parts.rows, texts_reused=_take_over(inputs, parts, side))
    _encode_missing(inputs, parts, encoder, params, context, side)
    yield from _joined(inputs, parts, side)


def _take_over(inputs: Inputs, parts: VectorParts, side: str) -> int:
    """Copy the vectors of texts that `previous` has into the parts, and count them."""
    import pyarrow as pa

    if PREVIOUS not in inputs:
        return 0
    vector = inputs.table("select vector from previous limit 0").schema.field("vector").type
    if not pa.types.is_fixed_size_list(vector) or vector.list_size != parts.width:
        return 0
    before = parts.rows
    query = f"""
        select text_hash, side, vector
        from (select text_hash, {side} as side, vector from previous)
        semi join (select text_hash::varchar as text_hash, {side} as side from texts) using (text_hash, side)
        anti join {parts.relation()} using (text_hash, side)
    """
    for batch in _first_of_each(inputs.sql(query)):
        parts.write(pa.Table.from_batches([batch]).cast(parts.schema()))
    return parts.rows - before


def _encode_missing(
    inputs: Inputs, parts: VectorParts, encoder: "BiEncoder", params: EmbedParams, context: Context, side: str
) -> None:
    """Encode every text that has no vector yet into the parts, and record what that took."""
    missing = f"""
        from (
            select text_hash::varchar as text_hash, {side} as side, coalesce(text, '') as text
            from texts where text_hash is not null
        )
        anti join {parts.relation()} using (text_hash, side)
    """
    total = int(inputs.table(f"select count(*) from (select distinct text_hash, side {missing})").column(0)[0].as_py())
    started, blank = time.monotonic(), 0
    chunks = inputs.sql(missing, batch_rows=CHUNK_TEXTS)
    with context.progress("encoding", total, "texts") as advance, parts.writer() as writer:
        for chunk in _first_of_each(chunks):
            for call in _calls(chunk.to_pylist(), params.batch_size * CALL_BATCHES):
                blank += _encode(call, encoder, params, writer)
                advance(len(call))
    encoded = total - blank
    context.record(
        encoder=params.model,
        dimension=encoder.dimension,
        max_tokens=encoder.max_tokens,
        pooling=encoder.pooling,
        runs_on=describe(context.settings),
        texts_encoded=encoded,
        texts_blank=blank,
        texts_per_second=round(encoded / (time.monotonic() - started), 1) if encoded else None,
    )
    _report_truncation(encoder, context)


def _first_of_each(batches: "pa.RecordBatchReader") -> Iterator["pa.RecordBatch"]:
    """The first row of each (text_hash, side). Sorting or grouping texts and vectors would take their memory."""
    import pyarrow as pa

    seen: set[tuple[str, int]] = set()
    for batch in batches:
        first = []
        for key in zip(batch.column("text_hash").to_pylist(), batch.column("side").to_pylist(), strict=True):
            first.append(key not in seen)
            seen.add(key)
        yield batch.filter(pa.array(first, pa.bool_()))


def _report_truncation(encoder: "BiEncoder", context: Context) -> None:
    """Record how many of the texts just encoded were cut, and say so when they are many."""
    share = encoder.filled / encoder.tokenized if encoder.tokenized else None
    context.record(truncated_texts=encoder.filled, truncated_share=share)
    if share and share > TRUNCATION_NOTED:
        context.note(f"{share:.0%} of the texts are cut: only their first {encoder.max_tokens} tokens are read")


def _calls(rows: list[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    """The rows in lists of at most `size`: of one side each, longest first, blank texts last."""
    rows = sorted(rows, key=lambda row: (row["side"], -len(row["text"].strip()), row["text_hash"]))
    for _, group in groupby(rows, key=lambda row: (row["side"], not row["text"].strip())):
        of_one_kind = list(group)
        yield from (of_one_kind[first : first + size] for first in range(0, len(of_one_kind), size))


def _encode(call: list[dict[str, Any]], encoder: "BiEncoder", params: EmbedParams, writer: PartWriter) -> int:
    """Add the vectors of one call's texts to the parts; the number of texts that are blank, which is all or none."""
    import numpy as np

    side, texts = call[0]["side"], [row["text"] for row in call]
    blank = not texts[0].strip()
    if blank:
        vectors = np.zeros((len(texts), encoder.dimension), np.float32)
    elif side:
        vectors = encoder.encode(texts, "query", params.query_prompt, params.batch_size)
    else:
        vectors = encoder.encode(texts, "document", params.document_prompt, params.batch_size)
    writer.add([row["text_hash"] for row in call], side, vectors)
    return len(call) if blank else 0


def _joined(inputs: Inputs, parts: VectorParts, side: str) -> Iterator["pa.RecordBatch"]:
    """Every row of `texts` with its vector, ordered by (kind, id)."""
    import pyarrow as pa

    from hnm.models.vectors import embedding_schema, to_column

    schema = embedding_schema(parts.width)
    query = f"""
        select texts.kind, texts.id, texts.text_hash, known.place
        from texts
        join {parts.relation()} known on known.text_hash = texts.text_hash::varchar and known.side = {side}
        order by texts.kind, texts.id
    """
    rows = 0
    yield pa.RecordBatch.from_pylist([], schema)
    with parts.by_place() as vectors:
        for batch in inputs.sql(query, batch_rows=OUTPUT_ROWS):
            rows += batch.num_rows
            *keys, place = batch.columns
            yield pa.record_batch([*keys, to_column(vectors(place.to_pylist()))], names=schema.names).cast(schema)
    if rows != inputs.count("texts"):
        raise StageError(
            f"texts: {inputs.count('texts') - rows:,} rows have no text_hash",
            hint="text_hash stands for the text, for example sha256(text)",
        )
