"""What a few more documents cost, against building everything before training from nothing; prints JSON.

    python benchmarks/incremental.py COLLECTION [--share 0.01] [--size mini|base|large] [--keep FOLDER]

COLLECTION is a BEIR folder. A share of its documents is held back at first, then added. `ratio` is the time of the
second run over that of the first, stage by stage as well. `rows_changed` says how much of the tables themselves differs
then: rows that are other rows have to be written by any method. `--keep` leaves the project in FOLDER.

`--size`: MiniLM (`mini`, the project's own), or in its place an encoder of the size of BERT-base or BERT-large, as most
encoders are that people use. It has random weights, for here only the time counts that it takes.
"""

import argparse
import gzip
import json
import shutil
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from hnm.api import Project
from hnm.project.init import init_project, parse_source

# What comes after training, and the collection away: no training reads it, and it does not change.
LEFT_OUT = ("reranker_hard+", "reranker_random+", "reranked_start+", "away.*+")
COMPARED = {
    "candidates": ("query_id", "doc_id", "retriever"),
    "scored_candidates": ("query_id", "positive_id", "doc_id"),
    "negatives": ("query_id", "positive_id", "doc_id", "strategy"),
    "triplets": ("query_id", "positive_id", "negative_id", "strategy"),
}


def lines(path: Path) -> list[str]:
    packed = path.with_name(path.name + ".gz")
    if packed.exists():
        with gzip.open(packed, "rt", encoding="utf-8") as stream:
            return stream.readlines()
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


SIZES: dict[str, dict[str, Any]] = {
    "base": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3_072},
    "large": {"hidden_size": 1_024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4_096},
}


def with_encoder(root: Path, size: str) -> None:
    """Put an encoder of this size in the place of MiniLM, with its tokenizer."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    from hnm.models.resolve import resolve

    tokenizer = AutoTokenizer.from_pretrained(str(resolve("all-MiniLM-L6-v2", root).path))
    with tempfile.TemporaryDirectory() as parts:
        BertModel(BertConfig(vocab_size=len(tokenizer), **SIZES[size])).save_pretrained(parts)
        tokenizer.save_pretrained(parts)
        transformer = Transformer(parts, max_seq_length=512)
        pooling = Pooling(SIZES[size]["hidden_size"])
        SentenceTransformer(modules=[transformer, pooling]).save(str(root / "models" / size))
    pipeline = root / "pipelines/embeddings.yml"
    text = pipeline.read_text(encoding="utf-8")
    assert text.count("model: all-MiniLM-L6-v2") == 1
    pipeline.write_text(text.replace("model: all-MiniLM-L6-v2", f"model: models/{size}"), encoding="utf-8")


def held_back(collection: Path, folder: Path, share: float) -> list[str]:
    """Copy the collection but for a share of its documents; all of its documents."""
    documents = lines(collection / "corpus.jsonl")
    step = round(1 / share)
    kept = [line for number, line in enumerate(documents) if number % step]
    folder.mkdir()
    (folder / "corpus.jsonl").write_text("".join(kept), encoding="utf-8")
    (folder / "queries.jsonl").write_text("".join(lines(collection / "queries.jsonl")), encoding="utf-8")
    shutil.copytree(collection / "qrels", folder / "qrels")
    return documents


def built(project: Project) -> tuple[float, dict[str, float]]:
    """Seconds of a run of everything before training, in all and by stage."""
    plan = project.plan(exclude=LEFT_OUT)
    began = time.perf_counter()
    result = project.run(plan)
    seconds = time.perf_counter() - began
    assert result.ok, [str(stage.error) for stage in result.results if stage.error]
    return seconds, {stage.name: round(stage.seconds, 2) for stage in result.results if stage.outcome == "built"}


def digests(project: Project) -> dict[str, dict[tuple[str, ...], int]]:
    found = {}
    for table, key in COMPARED.items():
        rows = project.query(f"select {', '.join(key)}, hash(t) as digest from {table} as t").to_pydict()
        digest = rows.pop("digest")
        found[table] = dict(zip(zip(*rows.values(), strict=True), digest, strict=True))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--size", choices=("mini", *SIZES), default="mini")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with nullcontext(options.keep) if options.keep else tempfile.TemporaryDirectory() as temporary:
        where = Path(temporary).absolute()
        where.mkdir(parents=True, exist_ok=True)
        folder, root = where / "collection", where / "project"
        documents = held_back(options.collection, folder, options.share)
        init_project(root, parse_source(f"beir:{folder}", None))
        if options.size != "mini":
            with_encoder(root, options.size)
        first, by_stage = built(Project.load(root))
        before = digests(Project.load(root))
        (folder / "corpus.jsonl").write_text("".join(documents), encoding="utf-8")
        second, again = built(Project.load(root))
        after = digests(Project.load(root))
    told: dict[str, Any] = {
        "documents": len(documents),
        "encoder": options.size,
        "added": sum(number % round(1 / options.share) == 0 for number in range(len(documents))),
        "full_seconds": round(first, 1),
        "incremental_seconds": round(second, 1),
        "ratio": round(second / first, 3),
        "stages": {name: [by_stage.get(name), again.get(name)] for name in by_stage},
        "rows_changed": {
            table: round(sum(before[table].get(key) != digest for key, digest in rows.items()) / len(rows), 3)
            for table, rows in after.items()
        },
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
