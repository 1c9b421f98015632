"""Speed and memory of exporting and streaming a million triplets, against writing the same Arrow batches to Parquet.

    python benchmarks/export.py FOLDER [--rows 1000000] [--shuffled] [--workers 2]

FOLDER is a collection in BEIR's form, such as MedQuAD. Triplets are drawn from it at random, stored as a Lance table,
and read in child processes, one for each measurement; prints JSON. `peak_mb` is the resident memory of a child and its
workers at its highest, pages that they share counted once (PSS). `ratio` is the speed against `parquet_baseline`:
Lance's batches as they are stored, written to one Parquet file by pyarrow with the same compression; it is measured
before and after all else, and the faster time counts. `--shuffled`
stores the triplets in random order: the worst case, since an export is in the order of the ids; stages store them in
that order.
"""

import argparse
import gzip
import importlib
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from hnm.dataset.formats import find_format

FORMATS = ("parquet", "jsonl", "csv", "triplet", "n-tuple", "labeled-pair", "labeled-list", "flagembedding",
           "tevatron", "msmarco", "beir", "trec")  # fmt: skip
READS = ("arrow_reader", "torch", "torch_shuffled", "torch_workers", "huggingface")
BATCH_ROWS = 8_192
BASELINE = "parquet_baseline"


def read_jsonl(folder: Path, name: str) -> list[dict[str, Any]]:
    path = folder / f"{name}.jsonl"
    if path.exists():
        return [json.loads(line) for line in path.open(encoding="utf-8")]
    with gzip.open(f"{path}.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def make(collection: Path, table: Path, count: int, shuffled: bool) -> None:
    """A Lance table of `count` triplets: a random query, its positive and a negative drawn from all documents."""
    import lance
    import numpy as np
    import pyarrow as pa

    documents = read_jsonl(collection, "corpus")
    queries = [*{row["_id"]: row for row in read_jsonl(collection, "queries")}.values()]
    texts = pa.array([row["text"] for row in documents])
    names = pa.array([row["_id"] for row in documents])
    query_texts = pa.array([row["text"] for row in queries])
    query_names = pa.array([row["_id"] for row in queries])
    some = np.random.default_rng(0)
    order = np.argsort(np.array(query_names.to_pylist()), kind="stable")
    asked_rank = np.sort(some.integers(len(queries), size=count))
    asked = order[asked_rank]
    answers = some.integers(len(documents), size=len(queries))  # each query's positive is always the same
    wrong = some.integers(len(documents), size=count)
    if shuffled:
        some.shuffle(asked)
    else:  # as the stage stores them: by query, positive and, of equal rank, negative
        wrong = wrong[np.lexsort((np.array(names.to_pylist())[wrong], asked_rank))]

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, count, BATCH_ROWS):
            asked_now, wrong_now = asked[start : start + BATCH_ROWS], wrong[start : start + BATCH_ROWS]
            rows = len(asked_now)
            query, positive, negative = map(pa.array, (asked_now, answers[asked_now], wrong_now))
            yield pa.record_batch(
                {
                    "query_id": query_names.take(query),
                    "positive_id": names.take(positive),
                    "negative_id": names.take(negative),
                    "query": query_texts.take(query),
                    "positive": texts.take(positive),
                    "negative": texts.take(negative),
                    "d_query_positive": pa.array(some.random(rows, np.float32)),
                    "fused_score": pa.array(some.random(rows, np.float32)),
                    "strategy": pa.array(["random"] * rows),
                    "selected_rank": pa.array(np.ones(rows, np.int32)),
                    "weight": pa.array(np.ones(rows)),
                    "split": pa.array(["train"] * rows),
                }
            )

    stream = batches()
    first = next(stream)

    def every() -> Iterator[pa.RecordBatch]:
        yield first
        yield from stream

    lance.write_dataset(pa.RecordBatchReader.from_batches(first.schema, every()), str(table))


def measure(kind: str, table: Path, folder: Path, workers: int) -> dict[str, Any]:
    """Do one thing with the whole table; the rows that came out, and the seconds without those of imports."""
    for slow in ("hnm.dataset.examples", "hnm.dataset.files", "hnm.dataset.torch_dataset", "lance"):
        importlib.import_module(slow)
    if kind in FORMATS:
        find_format(kind)
    if kind == "huggingface":
        importlib.import_module("datasets")
    started, used = time.perf_counter(), time.process_time()
    rows = work(kind, table, folder, workers)
    cpu = time.process_time() - used
    return {"rows": rows, "seconds": round(time.perf_counter() - started, 1), "cpu_seconds": round(cpu, 1)}


def work(kind: str, table: Path, folder: Path, workers: int) -> int:
    """Do it; how many rows came out."""
    import lance
    import pyarrow.parquet as pq

    from hnm.context import Settings
    from hnm.dataset.export import Export, export
    from hnm.dataset.find import DatasetVersion
    from hnm.dataset.reading import Dataset
    from hnm.dataset.selection import Selection

    stored = lance.dataset(str(table))
    if kind == BASELINE:
        with pq.ParquetWriter(folder / "rows.parquet", stored.schema, compression="zstd") as writer:
            for batch in stored.to_batches(batch_size=BATCH_ROWS):
                writer.write_batch(batch)
        return int(stored.count_rows())
    rows = stored.count_rows()
    version = DatasetVersion("triplets", table, stored.version, "0" * 32, (), rows, "", "", current=True)
    if kind in FORMATS:
        return sum(export(version, folder / "out", Export(kind), "benchmark").rows.values())
    dataset = Dataset(version, Selection(), Settings(), folder / "cache")
    if kind == "arrow_reader":
        return sum(batch.num_rows for batch in dataset.reader())
    if kind == "huggingface":
        return len(dataset.huggingface())
    columns = ["query", "positive", "negative"]
    stream = dataset.torch(columns, shuffle=kind != "torch")
    loader = stream.loader(batch_size=64, workers=workers if kind == "torch_workers" else 0)
    return sum(len(batch["query"]) for batch in loader)


def watched(arguments: list[str]) -> dict[str, Any]:
    """What a child process prints, with the peak of its memory, workers included."""
    child = subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True)
    process, peak, over = psutil.Process(child.pid), [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.5):  # each look takes some 10 ms of a process that is a GB large
            try:
                family = [process, *process.children(recursive=True)]
                peak[0] = max(peak[0], sum(one.memory_full_info().pss for one in family) / 1e6)
            except psutil.Error:
                continue

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    printed, _ = child.communicate()
    over.set()
    thread.join()
    assert child.returncode == 0, printed
    return {**json.loads(printed), "peak_mb": round(peak[0])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--shuffled", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="measure these alone, and the baseline")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        kind, table, folder = options.measure
        print(json.dumps(measure(kind, Path(table), Path(folder), options.workers)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        make(options.collection, root / "triplets.lance", options.rows, options.shuffled)
        told: dict[str, Any] = {"triplets": options.rows, "shuffled": options.shuffled, "results": {}}
        results = told["results"]
        for kind in (BASELINE, *(options.only or (*FORMATS, *READS)), BASELINE):
            folder = root / kind
            folder.mkdir()
            arguments = [str(options.collection), "--workers", str(options.workers)]
            found = watched([*arguments, "--measure", kind, str(root / "triplets.lance"), str(folder)])
            results[kind] = min(found, results.get(kind, found), key=lambda one: one["seconds"])
            shutil.rmtree(folder)
            print(kind, found, file=sys.stderr, flush=True)
        for found in results.values():
            found["ratio"] = round(results[BASELINE]["seconds"] / max(found["seconds"], 0.1), 2)
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
