"""Transform: hard negatives mined by sentence-transformers' own `mine_hard_negatives`, as the peer to compare with."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from hnm.context import Context
from hnm.errors import StageError
from hnm.inputs import Inputs
from hnm.models.resolve import model_files, model_identity
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]

_PAIRS = """
select positives.query_id, positives.doc_id as positive_id, split, queries.text as query, documents.text as positive
from positives
join (select id, text from texts where kind = 'query') as queries on queries.id = query_id
join (select id, text from texts where kind = 'document') as documents on documents.id = doc_id
where list_contains($splits, split) order by query_id, positive_id
"""
_DOCUMENTS = "select id, coalesce(text, '') as text from texts where kind = 'document' order by id"
_ROWS_AT_ONCE = 4_096


class MineSentenceTransformersParams(Params):
    """The library's own parameters; the defaults are those that its documentation recommends (TopK-PercPos, 95 %).

    `model`: the bi-encoder: a bundled model, a folder relative to the project, or a hub's model; `max_tokens`: what it
    reads of a text. `range_min`, `range_max`: ranks to skip, and the last rank to look at (null: as many as the library
    takes). `max_score`, `min_score`: cosines beyond which candidates are dropped. `relative_margin`: a negative's score
    is at least this share of the positive's below it; `absolute_margin`: or this much below it.
    `sampling_strategy`: the first that are left, or a draw from them by `seed`. `strategy`: what the triplets call it.
    `splits`: of the positives that are mined for.
    """

    model: str = Field(default="all-MiniLM-L6-v2", min_length=1)
    max_tokens: int | None = Field(default=None, ge=1)
    num_negatives: int = Field(default=4, ge=1)
    range_min: int = Field(default=0, ge=0)
    range_max: int | None = Field(default=None, ge=1)
    max_score: float | None = None
    min_score: float | None = None
    relative_margin: float | None = 0.05
    absolute_margin: float | None = None
    sampling_strategy: Literal["top", "random"] = "top"
    batch_size: int = Field(default=32, ge=1)
    strategy: str = Field(default="sentence_transformers", min_length=1)
    splits: tuple[str, ...] = ("train", "dev")
    seed: int = 0


def _identity(params: MineSentenceTransformersParams) -> dict[str, str]:
    return model_identity(params.model)


def _files(params: MineSentenceTransformersParams, root: Path) -> list[Path]:
    return model_files(params.model, root)


@transform(
    params=MineSentenceTransformersParams,
    inputs=("texts", "positives"),
    uses="all",
    packages=("sentence-transformers", "transformers", "torch"),
    files=_files,
    identity=_identity,
)
def mine_sentence_transformers(
    inputs: Inputs, params: MineSentenceTransformersParams, context: Context
) -> Iterator["pa.RecordBatch"]:
    """Triplets by `sentence_transformers.util.mine_hard_negatives` over the project's corpus, queries and positives.

    Inputs: texts(kind, id, text), positives(query_id, doc_id, split).
    Output: (query_id, positive_id, negative_id, query, positive, negative, strategy, selected_rank, split), by query
    and positive; `selected_rank` from 1, by the bi-encoder's cosine.

    The library knows texts, not ids: queries of equal text are one query to it, and of documents of equal text the
    first id stands for all. Embeddings are kept in the stage's work folder, so that a run after a kill does not make
    them again. Memory: all texts, all their vectors, and `range_max` scores per query.

    Raises StageError when the library refuses the parameters, ModelError when the model cannot be had.
    """
    pairs = inputs.table(_PAIRS, {"splits": list(params.splits)}).to_pylist()
    documents: dict[str, str] = {}
    for row in inputs.table(_DOCUMENTS).to_pylist():
        documents.setdefault(row["text"], row["id"])
    mined = _mined(pairs, list(documents), params, context) if pairs else []
    negatives: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in mined:
        negatives[row["query"], row["positive"]].append(row["negative"])
    rows = [
        {**pair, "negative_id": documents[text], "negative": text, "strategy": params.strategy, "selected_rank": rank}
        for pair in pairs
        for rank, text in enumerate(negatives[pair["query"], pair["positive"]], start=1)
    ]
    found = Counter((row["query_id"], row["positive_id"]) for row in rows)
    context.record(pairs=len(pairs), pairs_without_negatives=len(pairs) - len(found), negatives=len(rows))
    for first in range(0, len(rows) or 1, _ROWS_AT_ONCE):
        yield _batch(rows[first : first + _ROWS_AT_ONCE])


def _mined(pairs: list[Row], corpus: list[str], params: MineSentenceTransformersParams, context: Context) -> list[Row]:
    """What the library makes of the pairs: (query, positive, negative) as texts, the hardest first for each pair."""
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    from hnm.models.bi_encoder import load_bi_encoder
    from hnm.models.device import autocast
    from hnm.models.quiet import quiet_libraries

    model = load_bi_encoder(params.model, context.root, context.settings, params.max_tokens).model
    texts = [{name: pair[name] for name in ("query", "positive")} for pair in pairs]
    own = {"model", "max_tokens", "strategy", "splits", "seed"}
    state = random.getstate()
    random.seed(params.seed)
    with context.progress(f"mining over {len(corpus):,} documents"), quiet_libraries(), autocast(context.settings):
        try:
            found = mine_hard_negatives(
                Dataset.from_list(texts),
                model,
                anchor_column_name="query",
                positive_column_name="positive",
                corpus=corpus,
                cache_folder=str(context.workdir / "embeddings"),
                verbose=False,
                **params.model_dump(exclude=own),
            )
        except (ValueError, RuntimeError) as error:
            raise StageError(f"{context.stage}: sentence-transformers refuses to mine", why=str(error)) from error
        finally:
            random.setstate(state)
    mined: list[Row] = found.to_list()
    return mined


def _batch(rows: list[Row]) -> "pa.RecordBatch":
    import pyarrow as pa

    return pa.RecordBatch.from_pylist(rows, _schema())


def _schema() -> "pa.Schema":
    import pyarrow as pa

    texts = ("query_id", "positive_id", "negative_id", "query", "positive", "negative", "strategy")
    return pa.schema([*((name, pa.string()) for name in texts), ("selected_rank", pa.int32()), ("split", pa.string())])
