"""How often each strategy takes a right answer for a negative, where that is known; prints JSON and a markdown table.

    python benchmarks/hidden_judgments.py COLLECTION [--queries 600] [--words 64] [--hide 0.3] [--project FOLDER]

COLLECTION is a BEIR folder. Where every query has one judged answer, nothing can be hidden and found again. So its
documents are cut into passages, and every passage of a judged answer counts as an answer. Queries whose answer is one
passage only are left out. Then a share of the passages is hidden from the mining (docs/false-negatives.md).

Documents are taken in runs of neighbours, drawn at random, until there are enough queries: in most collections,
neighbours are about the same thing, and so the hardest negatives stay. FOLDER keeps the project and its vectors.

Who chooses easier negatives errs less often, by any rule or none. `at_same_ranks` is how often a blind choice at the
same ranks of the ensemble would err: the share of hidden answers, over all pairs, among the candidates at those ranks.
`ratio` is the rate over that. It is 1 for the ensemble's top, and below 1 for a rule that tells right answers apart.

There are two intervals of the rate at 95 %: Wilson's, as if negatives were independent, and a percentile bootstrap over
queries (seeded), since the negatives of one query err together. Believe the wider one.
"""

import argparse
import json
import random
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hnm.api import Project
from hnm.context import Context
from hnm.inputs import Inputs
from hnm.project.init import init_project, parse_source
from hnm.readers.beir import BeirParams, beir
from hnm.transforms.split_passages import PassagesParams, split_passages

NEIGHBOURS = 50
PER_POSITIVE = 2
STRATEGIES: list[dict[str, Any]] = [
    {"name": "random", "rule": "random"},
    {"name": "bm25_top", "rule": "top", "by": "score_bm25"},
    {"name": "ensemble_top", "rule": "top"},
    {"name": "window_10_50", "rule": "shifted_window", "from": 10, "to": 50},
    {"name": "condition_1", "rule": "condition_1"},
    {"name": "condition_2", "rule": "condition_2"},
    {"name": "paper", "rule": "dual_criterion"},
    {"name": "margin_05", "rule": "below_positive_margin", "margin": 0.05},
    {"name": "share_95", "rule": "below_positive_share", "share": 0.95},
    {"name": "share_90", "rule": "below_positive_share", "share": 0.9},
    {"name": "fill_share_95", "rule": "below_positive_share", "share": 0.95, "fills": "paper"},
    {"name": "fill_margin_05", "rule": "below_positive_margin", "margin": 0.05, "fills": "paper"},
]
# A chain as a whole: what the paper's rule keeps, and what fills the pairs that it leaves empty.
CHAINS: list[dict[str, Any]] = [
    {"name": f"paper_then_{fill}", "rule": "mix", "mixes": {"paper": PER_POSITIVE, f"fill_{fill}": PER_POSITIVE}}
    for fill in ("share_95", "margin_05")
]
MEASURED = """
with ranked as (
    select
        query_id,
        positive_id,
        doc_id,
        hidden_positives.doc_id is not null as is_hidden,
        row_number() over (partition by query_id, positive_id order by fused_score desc, doc_id) as place,
    from scored_candidates
    left join hidden_positives using (query_id, doc_id)
    where not is_known_positive and not is_positive_copy
),

by_place as (
    select place, count(*) filter (is_hidden) / count(*) as rate
    from ranked
    group by place
),

blind as (
    select strategy, avg(by_place.rate) as at_same_ranks, median(place) as median_rank
    from negatives
    join ranked using (query_id, positive_id, doc_id)
    join by_place using (place)
    where exclusion_reason is null
    group by strategy
)

select
    strategy,
    coverage,
    pair_coverage,
    estimates.negatives,
    hardness,
    margin_p50,
    median_rank,
    false_negatives as hidden_taken,
    rate,
    [rate_low, rate_high] as wilson,
    at_same_ranks,
    rate / nullif(at_same_ranks, 0) as ratio,
from negative_quality
join false_negative_estimates as estimates using (strategy)
left join blind using (strategy)
where estimate = 'hidden'
"""
BY_QUERY = """
select strategy, list(errors) as errors, list(negatives) as negatives
from (
    select strategy, query_id, count(hidden_positives.doc_id) as errors, count(*) as negatives
    from negatives
    left join hidden_positives using (query_id, doc_id)
    where exclusion_reason is null
    group by strategy, query_id
    order by query_id
)
group by strategy
"""
RESAMPLES = 2000
COLUMNS = (
    "strategy", "coverage", "pair_coverage", "negatives", "hardness", "margin_p50", "median_rank", "hidden_taken",
    "rate", "wilson", "by_queries", "at_same_ranks", "ratio",
)  # fmt: skip


def read(folder: Path, table: str) -> pa.Table:
    params = BeirParams.model_validate({"path": str(folder), "table": table, "on_bad_rows": "quarantine"})
    return pa.Table.from_batches(beir(Inputs.of(), params, Context(table, Path(), Path())))


def passages(corpus: pa.Table, words: int) -> dict[str, list[tuple[str, str]]]:
    """Passages by document, id and text. A rest of less than half a passage answers nothing, and is left out."""
    params = PassagesParams(size=words, overlap=0)
    batches = split_passages(Inputs.of(corpus=corpus), params, Context("passages", Path(), Path()))
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in pa.Table.from_batches(batches).to_pylist():
        if row["place"] == 1 or len(row["text"].split()) >= words / 2:
            found[row["doc_id"]].append((row["passage_id"], row["text"]))
    return found


def write_collection(source: Path, folder: Path, queries: int, words: int) -> None:
    """A BEIR folder of passages, with about so many queries that have several right ones."""
    corpus = read(source, "corpus")
    judged = [row for row in read(source, "judgments").to_pylist() if row["grade"] > 0]
    texts = dict(zip(*read(source, "queries").select(["query_id", "text"]).to_pydict().values(), strict=True))
    by_document = passages(corpus, words)
    answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in judged:
        if len(by_document[row["doc_id"]]) > 1:
            answers[row["doc_id"]].append(row)

    documents = corpus["doc_id"].to_pylist()
    runs = [documents[first : first + NEIGHBOURS] for first in range(0, len(documents), NEIGHBOURS)]
    random.Random(0).shuffle(runs)
    taken: list[str] = []
    asked: set[str] = set()
    while runs and len(asked) < queries:
        taken += runs.pop()
        asked.update(row["query_id"] for document in taken[-NEIGHBOURS:] for row in answers[document])

    (folder / "qrels").mkdir(parents=True)
    write_lines(
        folder / "corpus.jsonl", [{"_id": name, "text": text} for doc in taken for name, text in by_document[doc]]
    )
    write_lines(folder / "queries.jsonl", [{"_id": query, "text": texts[query]} for query in sorted(asked)])
    for split in {row["split"] for row in judged}:
        pairs = [(row, name) for doc in taken for row in answers[doc] for name, _ in by_document[doc]]
        lines = [f"{row['query_id']}\t{name}\t{row['grade']}" for row, name in pairs if row["split"] == split]
        (folder / "qrels" / f"{split}.tsv").write_text(
            "\n".join(["query-id\tcorpus-id\tscore", *lines]) + "\n", encoding="utf-8"
        )


def write_lines(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def measured(root: Path, hide: float) -> dict[str, Any]:
    strategies = [{**strategy, "per_positive": PER_POSITIVE} for strategy in STRATEGIES] + CHAINS
    project = Project.load(root, variables={"strategies": strategies, "hide_positives": hide})
    result = project.run(project.plan(["+negative_quality", "+false_negative_estimates"]))
    assert result.ok, [str(stage.error) for stage in result.results if stage.error]
    counts = """
        with seen as (
            select query_id, doc_id from hidden_positives semi join scored_candidates using (query_id, doc_id)
        )

        select
            (select count(*) from corpus) as passages,
            (select count(distinct query_id) from positives) as queries,
            (select count(*) from positives) as known_answers,
            (select count(*) from hidden_positives) as hidden_answers,
            (select count(*) from seen) as hidden_among_candidates,
    """
    intervals = {
        row["strategy"]: interval(row["errors"], row["negatives"]) for row in project.query(BY_QUERY).to_pylist()
    }
    found = {
        row["strategy"]: {**row, "by_queries": intervals.get(row["strategy"])}
        for row in project.query(MEASURED).to_pylist()
    }
    rows = [found.get(strategy["name"], {"strategy": strategy["name"]}) for strategy in strategies]
    return {**project.query(counts).to_pylist()[0], "strategies": rows}


def interval(errors: list[int], negatives: list[int]) -> list[float]:
    """Of the rate, errors over negatives, when queries are drawn again."""
    counts = np.array([errors, negatives])
    drawn = np.random.default_rng(0).integers(0, len(errors), (RESAMPLES, len(errors)))
    taken, kept = counts[:, drawn].sum(axis=2)
    return [float(end) for end in np.quantile(taken / kept, (0.025, 0.975))]


def markdown(rows: list[dict[str, Any]]) -> str:
    lines = [f"| {' | '.join(name.replace('_', ' ') for name in COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    lines += [f"| {' | '.join(_words(row.get(name)) for name in COLUMNS)} |" for row in rows]
    return "\n".join(lines)


def _words(value: object) -> str:
    if isinstance(value, list):
        return "–".join(_words(end) for end in value)
    if isinstance(value, float):
        return f"{value:.3f}"
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--queries", type=int, default=600)
    parser.add_argument("--words", type=int, default=64)
    parser.add_argument("--hide", type=float, default=0.3)
    parser.add_argument("--project", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = options.project or Path(temporary) / "project"
        if not (root / "project.yml").exists():
            folder = root / "collection"
            write_collection(options.collection, folder, options.queries, options.words)
            init_project(root, parse_source(f"beir:{folder}", None))
        told = measured(root, options.hide)
    print(json.dumps(told, indent=2))
    print(f"\n{markdown(told['strategies'])}")


if __name__ == "__main__":
    main()
