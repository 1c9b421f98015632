"""TREC files: topics, qrels of the positives, and the negatives of each strategy as a run."""

from collections.abc import Iterator

import pyarrow as pa

from hnm.dataset.examples import Examples
from hnm.dataset.formats._collection import judgments, of_split, positives_by_split, queries, write_tsv
from hnm.dataset.formats._format import Format, Options, Told
from hnm.dataset.shards import Output
from hnm.sqltext import literal
from hnm.writers._names import file_name
from hnm.writers.trec import write_qrels, write_run

RUN = """
select query_id, negative_id as doc_id, {strategy} as retriever, (1 / rank)::float as score, rank
from (
    select query_id, negative_id, row_number() over (partition by query_id order by min(place))::integer as rank
    from examples where {condition} group by query_id, negative_id
)
order by query_id, rank
"""


def _write(examples: Examples, output: Output, options: Options) -> Told:
    told = Told(positives_by_split(examples))
    for split in told.rows:
        found = of_split(queries(examples), split)
        write_tsv(output.folder / f"topics.{file_name(split)}.tsv", found, ["query_id", "text"])
        write_qrels(output.folder / f"qrels.{file_name(split)}.txt", of_split(judgments(examples), split))
    for strategy in _strategies(examples):
        write_run(output.folder / f"negatives.{file_name(strategy, 'strategy')}.run", _run(examples, strategy))
    return told


def _strategies(examples: Examples) -> list[str]:
    if "strategy" not in examples.columns:
        return ["negatives"]
    found = examples.connection.execute("select distinct strategy from examples order by all").fetchall()
    return [strategy for (strategy,) in found]


def _run(examples: Examples, strategy: str) -> Iterator[pa.RecordBatch]:
    condition = f"strategy = {literal(strategy)}" if "strategy" in examples.columns else "true"
    return examples.stream(RUN.format(strategy=literal(strategy), condition=condition))


FORMAT = Format(
    "TREC: topics, qrels of the positives, a run of the negatives for each strategy",
    _write,
    takes_negatives=False,
)
