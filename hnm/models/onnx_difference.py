"""How far an exported model is from the one that it was made from, on the project's own evaluation lists."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hnm.context import Context
from hnm.models.cross_encoder import CHARACTERS_PER_TOKEN, score_pairs
from hnm.models.device import uses_bf16
from hnm.models.onnx_export import OnnxScorer
from hnm.project.manifest import Call
from hnm.sqltext import quote
from hnm.trained import RerankStage, rerank_stages

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

    from hnm.api import Project

MEASURE = "RR@10"
JUDGMENTS = "judgments"
Score = Callable[[Sequence[tuple[str, str]]], NDArray[np.float32]]

_PAIRS = """
select query_id, doc_id, left(coalesce(q.text, ''), $1) as query, left(coalesce(d.text, ''), $1) as document, grade
from {first_stage}
join (select id as query_id, text from {texts} where kind = 'query') as q using (query_id)
join (select id as doc_id, text from {texts} where kind = 'document') as d using (doc_id)
left join {judgments} using (query_id, doc_id)
where query_id in (select query_id from {first_stage} group by query_id order by md5(query_id) limit $2)
order by query_id, rank
"""

_NO_JUDGMENTS = "(select '' as query_id, '' as doc_id, null::integer as grade)"


@dataclass(frozen=True)
class Difference:
    """`largest`, `mean`: of the absolute differences of logits. `same_first`: share of queries with the same document
    first. `before`, `after`: mean RR@10 of the lists by either, None without judgments. Speeds in pairs per second.
    `bf16_speed`: of the original as the project runs it; None where that is in float32 too.
    """

    queries: int
    pairs: int
    largest: float
    mean: float
    same_first: float
    before: float | None
    after: float | None
    original_speed: float
    exported_speed: float
    bf16_speed: float | None
    cores: int


@dataclass(frozen=True)
class _List:
    """One query's first-stage list. `grades`: None where a document has no judgment."""

    query_id: str
    doc_ids: list[str]
    pairs: list[tuple[str, str]]
    grades: list[int | None]


def evaluation_lists(project: "Project", stage: str, queries: int, max_length: int) -> list[_List]:
    """Up to `queries` lists of those that the model of `stage` is evaluated on; empty when they are not built."""
    state = project.state()
    found = next(iter(rerank_stages(project.manifest, stage)), None)
    if found is None or any(found.inputs[name] not in state for name in ("first_stage", "texts")):
        return []
    return list(_read(project, found, queries, max_length * CHARACTERS_PER_TOKEN))


def measure_difference(
    lists: Sequence[_List], model: "CrossEncoder", exported: OnnxScorer, batch_size: int, context: Context
) -> Difference:
    """Score all lists with both, in turns, so that whatever else the machine does slows both alike.

    `model`: in float32 on the CPU. `context.settings`: how the project runs models.
    """
    fp32 = replace(context.settings, device="cpu", precision="fp32")
    scorers: dict[str, Score] = {
        "original": lambda pairs: score_pairs(model, pairs, fp32, batch_size),
        "exported": lambda pairs: exported.score(pairs, batch_size),
    }
    if uses_bf16(replace(context.settings, device="cpu")):
        bf16 = replace(fp32, precision="bf16")
        scorers["bf16"] = lambda pairs: score_pairs(model, pairs, bf16, batch_size)
    for score in scorers.values():
        score(lists[0].pairs[:batch_size])  # what happens once, such as allocating memory, is not to be timed
    scores: dict[str, list[NDArray[np.float32]]] = {name: [] for name in scorers}
    seconds = dict.fromkeys(scorers, 0.0)
    pairs = sum(len(of_query.pairs) for of_query in lists)
    with context.progress("measuring the difference", pairs, "pairs") as advance:
        for of_query in lists:
            for name, score in scorers.items():
                began = time.perf_counter()
                scores[name].append(score(of_query.pairs))
                seconds[name] += time.perf_counter() - began
            advance(len(of_query.pairs))
    off = np.abs(np.concatenate(scores["original"]) - np.concatenate(scores["exported"]))
    same = [one.argmax() == other.argmax() for one, other in zip(scores["original"], scores["exported"], strict=True)]
    return Difference(
        queries=len(lists),
        pairs=pairs,
        largest=float(off.max()),
        mean=float(off.mean()),
        same_first=float(np.mean(same)),
        before=_measured(lists, scores["original"]),
        after=_measured(lists, scores["exported"]),
        original_speed=pairs / seconds["original"],
        exported_speed=pairs / seconds["exported"],
        bf16_speed=pairs / seconds["bf16"] if "bf16" in seconds else None,
        cores=context.settings.cores,
    )


def _read(project: "Project", stage: RerankStage, queries: int, characters: int) -> Iterator[_List]:
    state = project.state()
    judgments = _judgments(project, stage)
    judged = f"(select query_id, doc_id, grade from {quote(judgments)})" if judgments in state else _NO_JUDGMENTS
    names = {name: quote(stage.inputs[name]) for name in ("first_stage", "texts")}
    with project.warehouse.querying(state, {*stage.inputs.values(), judgments}) as connection:
        rows = connection.execute(_PAIRS.format(judgments=judged, **names), [characters, queries]).fetchall()
    for query_id, group in groupby(rows, lambda row: str(row[0])):
        listed = list(group)
        yield _List(
            query_id, [row[1] for row in listed], [(row[2], row[3]) for row in listed], [row[4] for row in listed]
        )


def _judgments(project: "Project", stage: RerankStage) -> str:
    """Those against which the lists of a stage are evaluated."""
    for node in project.manifest.nodes.values():
        call = node.work
        if isinstance(call, Call) and call.transform.name == "evaluate":
            runs = call.inputs["runs"]
            if stage.name in {runs, *project.graph.ancestors(runs)}:
                return call.inputs["judgments"]
    return JUDGMENTS


def _measured(lists: Sequence[_List], scores: Sequence[NDArray[Any]]) -> float | None:
    """Mean RR@10 over the lists; one without a right answer counts as 0. None when nothing in them is judged."""
    import ir_measures

    from hnm.evaluation.measures import parse_measure

    qrels = {
        one.query_id: {doc: grade for doc, grade in zip(one.doc_ids, one.grades, strict=True) if grade is not None}
        for one in lists
    }
    if not any(qrels.values()):
        return None
    run = {
        one.query_id: dict(zip(one.doc_ids, of_query.tolist(), strict=True))
        for one, of_query in zip(lists, scores, strict=True)
    }
    values = ir_measures.iter_calc([parse_measure(MEASURE)], qrels, run)
    return sum(value.value for value in values) / len(lists)
