"""A BEIR folder: the documents, queries and positives of the examples; qrels hold the positives alone."""

from hnm.dataset.examples import Examples
from hnm.dataset.formats._collection import documents, judgments, positives_by_split, queries
from hnm.dataset.formats._format import Format, Options, Told
from hnm.dataset.shards import Output
from hnm.writers.beir import write_beir


def _write(examples: Examples, output: Output, options: Options) -> Told:
    write_beir(output.folder, corpus=documents(examples), queries=queries(examples), judgments=judgments(examples))
    return Told(positives_by_split(examples))


FORMAT = Format("BEIR: corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv of the positives", _write, takes_negatives=False)
