"""Vectors of texts by latent semantic analysis: no model, only the collection itself."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from hnm.context import Advance, Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

BATCH_ROWS = 4_096
NEGLIGIBLE = 1e-6
"""A text whose projection is shorter has nothing in common with the directions but rounding errors."""


class LsaParams(Params):
    """How texts become terms, and terms become vectors.

    `dim`: numbers per vector. `terms`: `words` of two letters and more, or `characters`, runs of letters within words,
    for languages without spaces and for names. `ngram`: a term is up to so many words or letters in a row.
    `min_df`: documents that must have a term for it to count. `max_terms`: keep the most frequent; null for all.
    `sublinear`: a term that occurs c times counts 1 + ln c. `iterations` of the randomized decomposition, `seed` of it.
    """

    dim: int = Field(default=256, ge=1)
    terms: Literal["words", "characters"] = "words"
    ngram: int = Field(default=1, ge=1)
    min_df: int = Field(default=2, ge=1)
    max_terms: int | None = Field(default=None, ge=1)
    sublinear: bool = True
    iterations: int = Field(default=5, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**32)


@transform(params=LsaParams, inputs=("texts",), packages=("scikit-learn",))
def embed_lsa(inputs: Inputs, params: LsaParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """A vector for every row of `texts` (kind 'document' or 'query', id, text, text_hash), fitted on its documents.

    Deerwester et al., JASIS 41(6), 1990: TF-IDF with idf = 1 + ln((1 + n) / (1 + f)) over lower-case terms, rows of
    length 1, and of that matrix the `dim` largest singular directions (Halko, Martinsson and Tropp, SIAM Review 53(2),
    2011). A text's vector is the projection of its TF-IDF row, scaled to length 1: with as many directions as the
    matrix has rank, the cosine of two documents is that of their TF-IDF rows.

    Output: kind, id, text_hash, vector (float32, `dim` wide), ordered by (kind, id). Where the collection has fewer
    directions than `dim`, the rest is zeros. A text without a known term gets zeros. `explained_share`, a fact of the
    stage, is the share of the matrix' squared entries that the directions keep.

    A new document changes every text's vector, so nothing is kept from an earlier build, and the table is versioned by
    the vectors themselves: what is built on it must not take an old one for unchanged. One thread decomposes, so that
    one machine gives the same again.

    Memory: the TF-IDF matrix of all documents (8 bytes per document and different term in it), the vocabulary, and
    matrices of `dim` + 10 numbers for every document and for every term. Texts are read in batches.

    Raises StageError for a row without text_hash.
    """
    import numpy as np
    import pyarrow as pa

    from hnm.models.vectors import embedding_schema, to_column, unit

    schema = embedding_schema(params.dim)
    yield pa.RecordBatch.from_pylist([], schema)
    vectorizer, directions = _fit(inputs, params, context)
    rows = "select kind, id, text_hash, coalesce(text, '') as text from texts order by kind, id"
    with context.progress("projecting", inputs.count("texts"), "texts") as advance:
        for batch in inputs.sql(rows, batch_rows=BATCH_ROWS):
            if missing := batch.column("text_hash").null_count:
                raise StageError(
                    f"texts: {missing:,} rows have no text_hash",
                    hint="text_hash stands for the text, for example sha256(text)",
                )
            vectors = np.zeros((len(batch), params.dim), np.float32)
            if directions.size:
                vectors[:, : directions.shape[1]] = vectorizer.transform(batch.column("text").to_pylist()) @ directions
                vectors[np.linalg.norm(vectors, axis=1) < NEGLIGIBLE] = 0
            keys = [batch.column(name).cast(pa.string()) for name in ("kind", "id", "text_hash")]
            yield pa.record_batch([*keys, to_column(unit(vectors)).cast(schema.field("vector").type)], schema)
            advance(len(batch))


def _fit(inputs: Inputs, params: LsaParams, context: Context) -> tuple[Any, "NDArray[np.float32]"]:
    """TF-IDF fitted on the documents, and the directions, shape (terms, at most `dim`); none when no term counts."""
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.utils.extmath import randomized_svd
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

    vectorizer = TfidfVectorizer(
        analyzer="word" if params.terms == "words" else "char_wb",
        ngram_range=(1, params.ngram),
        min_df=params.min_df,
        max_features=params.max_terms,
        sublinear_tf=params.sublinear,
        dtype=np.float32,
    )
    with context.progress("counting terms", None, "documents") as advance:
        try:
            matrix = vectorizer.fit_transform(_documents(inputs, advance))
        except ValueError as error:  # what scikit-learn raises when no term is left
            context.note(f"all vectors are zeros: {error}")
            context.record(documents=0, terms=0, dimensions=0)
            return vectorizer, np.empty((0, 0), np.float32)
    with context.progress("decomposing", None, "terms"), threadpool_limits(1):
        _, values, rows = randomized_svd(
            matrix, min(params.dim, *matrix.shape), n_iter=params.iterations, random_state=params.seed
        )
    kept = values > values[0] * max(matrix.shape) * np.finfo(np.float32).eps
    explained = float((values[kept].astype(np.float64) ** 2).sum() / matrix.multiply(matrix).sum(dtype=np.float64))
    context.record(
        documents=matrix.shape[0], terms=matrix.shape[1], dimensions=int(kept.sum()), explained_share=explained
    )
    return vectorizer, rows[kept].T


def _documents(inputs: Inputs, advance: Advance) -> Iterator[str]:
    texts = "select coalesce(text, '') from texts where kind = 'document' order by id"
    for batch in inputs.sql(texts, batch_rows=BATCH_ROWS):
        yield from batch.column(0).to_pylist()
        advance(len(batch))
