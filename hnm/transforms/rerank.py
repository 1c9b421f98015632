"""Transform: first-stage lists in the order of a cross-encoder."""

import time
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from hnm.context import Advance, Context
from hnm.errors import StageError
from hnm.inputs import Inputs, Origin
from hnm.models.resolve import model_files, model_identity, model_version, resolve
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa
    from sentence_transformers import CrossEncoder

PAIRS_AT_ONCE = 2_048
"""Pairs whose texts are held at once; also what a kill can cost."""

_PAIRS = """
with listed as (
    select query_id, doc_id, row_number() over (partition by query_id order by rank, doc_id) as place
    from first_stage where list_contains($query_ids, query_id)
)
select
    query_id, doc_id, place,
    left(coalesce(queries.text, ''), $characters) as query,
    left(coalesce(documents.text, ''), $characters) as document
from listed
join (select id, text from texts where kind = 'query') as queries on queries.id = query_id
join (select id, text from texts where kind = 'document') as documents on documents.id = doc_id
where place <= $depth
order by query_id, place
"""
_WITHOUT_TEXT = """
select 'query' as kind, query_id as id
from first_stage anti join (select id from texts where kind = 'query') as known on known.id = query_id
union all
select 'document', doc_id
from first_stage anti join (select id from texts where kind = 'document') as known on known.id = doc_id
order by all limit 1
"""
_TEXT_TWICE = """
select kind, id from texts
where (kind = 'query' and id in (select query_id from first_stage))
    or (kind = 'document' and id in (select doc_id from first_stage))
group by kind, id having count(*) > 1
order by all limit 1
"""
_MALFORMED = """
select query_id, count(distinct retriever) as retrievers from first_stage group by query_id
having count(distinct retriever) > 1 or count(*) <> count(distinct doc_id)
order by query_id limit 1
"""
_COUNTED = "select query_id, least(count(*), $depth) as pairs from first_stage group by query_id order by query_id"


class RerankParams(Params):
    """`name`: what the result's `retriever` is called. `model`: a bundled model, a folder relative to the project, or a
    hub's model; left out when the stage has an input `model`. `depth`: documents of each list that are scored and kept.
    `max_length`: tokens of query and document together; as in training.
    """

    name: str = Field(min_length=1)
    model: str | None = Field(default=None, min_length=1)
    depth: int = Field(default=50, ge=1)
    batch_size: int = Field(default=32, ge=1)
    max_length: int = Field(default=256, ge=8)


def _identity(params: RerankParams) -> dict[str, str]:
    return model_identity(params.model) if params.model else {}


def _files(params: RerankParams, root: Path) -> list[Path]:
    return model_files(params.model, root) if params.model else []


@transform(
    params=RerankParams,
    inputs=("first_stage", "texts"),
    optional_inputs=("model",),
    scope="key",
    uses="all",
    packages=("sentence-transformers", "transformers", "torch"),
    version_by=("query_id", "doc_id", "retriever", "rank", "model_version", "dataset_version"),
    files=_files,
    identity=_identity,
)
def rerank(inputs: Inputs, params: RerankParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """The first `depth` documents of each query's first-stage list, ordered by a cross-encoder's score.

    Inputs: first_stage(query_id, doc_id, retriever, rank) of one retriever, texts(kind, id, text), and optionally
    `model`, a trained model. Output: (query_id, doc_id, retriever, rank, score, model_version, dataset_version),
    `score` the logit, higher is better, equal ones in the first stage's order. No document enters a list that the first
    stage left out. `model_version` tells the weights; `dataset_version` the tables that a trained model learned from,
    null for any other model.

    A score's last bits depend on what else is in its batch, so a batch never holds pairs of two queries: what comes out
    for a list depends on that list alone. Finished lists go to part files in the stage's work folder, and a run after a
    kill goes on from there. Memory: the model and some thousand pairs of texts, cut far beyond `max_length`.

    Raises StageError when lists are mixed and when a text is missing or there twice, ModelError when the model cannot
    be had or cannot rank.
    """
    from hnm.retrieval import candidates

    _refuse_malformed(inputs)
    yield _as_versioned(candidates.empty(), Origin())
    lists = inputs.table(_COUNTED, {"depth": params.depth}).to_pylist()
    if not lists:
        return
    model = _model(inputs, params, context)
    origin = _origin(inputs, params, context)
    parts = context.workdir / "reranked"
    parts.mkdir(parents=True, exist_ok=True)
    total, started, scored = sum(row["pairs"] for row in lists), time.monotonic(), 0
    with context.progress(f"reranking by {params.name}", total, "pairs") as advance:
        step = max(1, PAIRS_AT_ONCE // params.depth)
        for first in range(0, len(lists), step):
            query_ids = [row["query_id"] for row in lists[first : first + step]]
            part = parts / f"{sha256(repr(query_ids).encode()).hexdigest()[:32]}.arrow"
            batch = _read(part)
            if batch is None:
                batch = _reranked(inputs, query_ids, model, params, context, advance)
                scored += batch.num_rows
                _write(part, batch)
            else:
                advance(batch.num_rows)
            yield _as_versioned(batch, origin)
    _record(params, context, total, scored, time.monotonic() - started)


def _refuse_malformed(inputs: Inputs) -> None:
    for row in inputs.table(_MALFORMED).to_pylist():
        what = "lists of several retrievers" if row["retrievers"] > 1 else "a document twice"
        raise StageError(
            f"first_stage: query {row['query_id']!r} has {what}",
            hint="give one list per query, for example with `where retriever = 'bm25'`",
        )
    for row in inputs.table(_WITHOUT_TEXT).to_pylist():
        raise StageError(f"texts: {row['kind']} {row['id']!r} is missing", hint="first_stage names it")
    for row in inputs.table(_TEXT_TWICE).to_pylist():
        raise StageError(f"texts: {row['kind']} {row['id']!r} stands there twice", hint="keep one row per kind and id")


def _model(inputs: Inputs, params: RerankParams, context: Context) -> "CrossEncoder":
    from hnm.models.cross_encoder import load_cross_encoder, open_cross_encoder
    from hnm.models.device import limit_threads

    trained = "model" in inputs
    if trained == (params.model is not None):
        raise StageError(
            f"{context.stage}: {'two models' if trained else 'no model'} to rerank with",
            hint="give either the input `model` (a stage) or the parameter `model` (a name)",
        )
    limit_threads(context.settings)
    if params.model is None:
        return open_cross_encoder(inputs.model("model"), context.settings, params.max_length)
    return load_cross_encoder(params.model, context.root, context.settings, params.max_length)


def _origin(inputs: Inputs, params: RerankParams, context: Context) -> Origin:
    """Which model this is, and what it was trained on."""
    if params.model is None:
        return inputs.origin("model")
    return Origin(version=model_version(resolve(params.model, context.root).fetch()))


def _as_versioned(lists: "pa.RecordBatch", origin: Origin) -> "pa.RecordBatch":
    import pyarrow as pa

    learned_from = ", ".join(version for _, version in sorted(origin.tables.items())) or None
    for name, version in {"model_version": origin.version, "dataset_version": learned_from}.items():
        lists = lists.append_column(name, pa.array([version] * lists.num_rows, pa.string()))
    return lists


def _reranked(
    inputs: Inputs,
    query_ids: list[str],
    model: "CrossEncoder",
    params: RerankParams,
    context: Context,
    advance: Advance,
) -> "pa.RecordBatch":
    """The reranked lists of some queries."""
    import numpy as np
    import pyarrow as pa

    from hnm.models.cross_encoder import CHARACTERS_PER_TOKEN, score_pairs
    from hnm.retrieval import candidates

    characters = params.max_length * CHARACTERS_PER_TOKEN
    rows = inputs.table(_PAIRS, {"query_ids": query_ids, "depth": params.depth, "characters": characters})
    pairs = list(zip(rows.column("query").to_pylist(), rows.column("document").to_pylist(), strict=True))
    places = rows.column("place").to_numpy()
    starts = [*np.flatnonzero(places == 1), len(pairs)]
    scores = np.empty(len(pairs), np.float32)
    for start, end in pairwise(starts):
        scores[start:end] = score_pairs(model, pairs[start:end], context.settings, params.batch_size)
        advance(int(end - start))
    if not np.isfinite(scores).all():
        raise StageError(f"{context.stage}: the model gives scores that are not numbers", hint="was it trained well?")
    order = np.lexsort((places, -scores, np.cumsum(places == 1)))
    # The rows came by query and place, so the places as they stand are the ranks of the reordered rows.
    return pa.record_batch(
        [
            rows.column("query_id").combine_chunks(),
            rows.column("doc_id").take(pa.array(order)).combine_chunks(),
            pa.repeat(params.name, rows.num_rows),
            pa.array(places, pa.int32()),
            pa.array(scores[order], pa.float32()),
        ],
        schema=candidates.SCHEMA,
    )


def _write(part: Path, batch: "pa.RecordBatch") -> None:
    """Write a part under another name first, so that what carries a part's name is whole."""
    import pyarrow as pa

    unfinished = part.with_suffix(".writing")
    with pa.ipc.new_file(unfinished, batch.schema) as writer:
        writer.write_batch(batch)
    unfinished.replace(part)


def _read(part: Path) -> "pa.RecordBatch | None":
    import pyarrow as pa

    if not part.exists():
        return None
    with pa.memory_map(str(part)) as source:
        return pa.ipc.open_file(source).get_batch(0)


def _record(params: RerankParams, context: Context, pairs: int, scored: int, seconds: float) -> None:
    from hnm.models.device import describe

    context.record(
        model=params.model,
        depth=params.depth,
        max_length=params.max_length,
        pairs=pairs,
        pairs_resumed=pairs - scored,
        pairs_per_second=round(scored / seconds, 1),
        runs_on=describe(context.settings),
    )
