"""How well a model in training reranks the lists of held-out queries."""

from dataclasses import dataclass

from sentence_transformers import CrossEncoder

from hnm.context import Settings
from hnm.errors import StageError
from hnm.evaluation.lists import Judgments, Run, measured, read_judgments
from hnm.evaluation.measures import parse_measure
from hnm.inputs import Inputs
from hnm.models.cross_encoder import score_pairs
from hnm.models.limits import CHARACTERS_PER_TOKEN
from hnm.training.recipe import ValidationParams
from hnm.training.source import require_columns

NEEDED = {
    "validation": ("query_id", "doc_id", "rank"),
    "texts": ("kind", "id", "text"),
    "judgments": ("query_id", "doc_id", "grade", "split"),
}
"""Inputs of a validation and their columns."""
PAIRS_PER_BATCH = 32

_LISTED = """
select query_id, doc_id, row_number() over (partition by query_id order by rank, doc_id) as place
from validation where list_contains($query_ids, query_id)
qualify place <= $depth
order by query_id, place
"""
_TEXTS = """
select id, left(text, $characters) as text from texts
where kind = $kind and id in (select unnest($ids)) and text is not null
"""
_TWICE = (
    "select query_id from validation group by query_id having count(*) <> count(distinct doc_id) order by all limit 1"
)
_DRAWN = """
select query_id from validation where list_contains($judged, query_id) group by query_id
order by md5(concat_ws(chr(31), $seed, query_id)), query_id limit $queries
"""


@dataclass(frozen=True)
class Validation:
    """Lists of some queries with their texts. `pairs` are in the order of `places`, which are (query_id, doc_id)."""

    measure: str
    judged: dict[str, dict[str, int]]
    places: list[tuple[str, str]]
    pairs: list[tuple[str, str]]

    def value(self, model: CrossEncoder, settings: Settings) -> float:
        """The measure's mean over the queries for the lists in the model's order, equal scores in the lists' own.

        A query whose list lacks every right document counts 0, whatever the model does.
        """
        scores = score_pairs(model, self.pairs, settings, PAIRS_PER_BATCH)
        run: Run = {}
        order = sorted(range(len(self.pairs)), key=lambda index: -scores[index])  # stable: ties keep their order
        for rank, index in enumerate(order):
            query, document = self.places[index]
            run.setdefault(query, {})[document] = -float(rank)
        values = [value for *_, value in measured([parse_measure(self.measure)], self.judged, run, "validation")]
        return sum(values) / len(values)


def read_validation(inputs: Inputs, params: ValidationParams, max_length: int, seed: int) -> Validation | None:
    """The lists to validate on: inputs validation(query_id, doc_id, rank), texts(kind, id, text) and
    judgments(query_id, doc_id, grade, split); None when the stage has no input `validation`.

    Memory: the texts of `queries` * `depth` pairs. Raises StageError when an input, a column or a text is missing, when
    a list has a document twice, or when no listed query is judged.
    """
    if "validation" not in inputs:
        return None
    for name, columns in NEEDED.items():
        if name not in inputs:
            raise StageError(f"validation needs the input {name!r}", hint=f"its inputs are {', '.join(NEEDED)}")
        require_columns(inputs, name, columns, "a training is validated with it")
    for row in inputs.table(_TWICE).to_pylist():
        raise StageError(f"validation: query {row['query_id']!r} has a document twice", hint="give one list per query")
    judged = _of_all_splits(read_judgments(inputs, params.splits))
    values = {"judged": list(judged), "seed": str(seed), "queries": params.queries}
    chosen = inputs.table(_DRAWN, values).column(0).to_pylist()
    if not chosen:
        raise StageError("validation: no listed query has a right document among the judgments", hint="see `splits`")
    rows = inputs.table(_LISTED, {"query_ids": chosen, "depth": params.depth}).to_pylist()
    characters = max_length * CHARACTERS_PER_TOKEN
    queries = _texts(inputs, "query", {row["query_id"] for row in rows}, characters)
    documents = _texts(inputs, "document", {row["doc_id"] for row in rows}, characters)
    return Validation(
        params.measure,
        {query: judged[query] for query in sorted(chosen)},
        [(row["query_id"], row["doc_id"]) for row in rows],
        [(queries[row["query_id"]], documents[row["doc_id"]]) for row in rows],
    )


def _of_all_splits(judgments: Judgments) -> dict[str, dict[str, int]]:
    judged: dict[str, dict[str, int]] = {}
    for split in judgments.values():
        for query, grades in split.items():
            judged[query] = judged.get(query, {}) | grades
    return judged


def _texts(inputs: Inputs, kind: str, ids: set[str], characters: int) -> dict[str, str]:
    table = inputs.table(_TEXTS, {"kind": kind, "ids": sorted(ids), "characters": characters})
    texts: dict[str, str] = dict(zip(table.column("id").to_pylist(), table.column("text").to_pylist(), strict=True))
    for missing in sorted(ids - texts.keys()):
        raise StageError(f"texts: {kind} {missing!r} is missing", hint="validation names it")
    return texts
