"""Peak memory of each stage when the corpus is many times larger than `memory_limit`; prints JSON.

    python benchmarks/memory.py [--limit-mb 400] [--times 10]

Documents are made up: 5,000 characters each, as many as it takes. The stages are those of the default pipeline from the
source to the ensemble's candidates, and triplets, of which there are as many as make `--times` the
limit too; with WordLlama alone, for the point is memory and not time. `peak_mb` is the process's resident set while the
stage ran, libraries included (torch alone takes 400 MB); `again_mb` the same in a second run, to which a hundredth of
the documents was added.
"""

import argparse
import json
import random
import tempfile
from pathlib import Path

from hnm.api import Project

WORDS = [f"w{number:04}" for number in range(5_000)]
STAGES = """
sources: [{name: collection, format: jsonl, tables: {corpus: {path: corpus.jsonl}, queries: {path: queries.jsonl}}}]
stages:
  - {name: corpus, unique_key: doc_id}
  - {name: texts, unique_key: [kind, id]}
  - name: embeddings
    transform: embed
    inputs: {texts: ref(texts)}
    params: {model: wordllama-l2-supercat-256, max_tokens: 64}
    materialized: lance
    unique_key: [kind, id]
  - name: ensemble_pca
    transform: ensemble_pca
    inputs: {wordllama: ref(embeddings)}
  - name: ensemble
    transform: ensemble
    inputs: {wordllama: ref(embeddings), pca: ref(ensemble_pca)}
    materialized: lance
    unique_key: [kind, id]
  - name: candidates
    transform: retrieve_dense
    inputs: {vectors: ref(ensemble)}
    params: {retriever: ensemble, top_k: 100}
    unique_key: [query_id, doc_id]
  - {name: triplet_ids, unique_key: [query_id, positive_id, negative_id]}
  - name: triplets
    transform: materialize_triplets
    inputs: {rows: ref(triplet_ids), texts: ref(texts)}
    materialized: lance
    unique_key: [query_id, positive_id, negative_id]
    incremental:
      key: query_id
      inputs:
        rows: query_id
        texts: {sql: "select query_id from rows join changed on id in (positive_id, negative_id)"}
"""
SQL = {
    "corpus": "select doc_id, text from {{ source('collection', 'corpus') }}",
    "texts": """select 'document' as kind, doc_id as id, text, md5(text) as text_hash from {{ ref('corpus') }}
        union all select 'query', query_id, text, md5(text) from {{ source('collection', 'queries') }}""",
    "triplet_ids": """select query_id, positive_id, doc_id as negative_id, 'top' as strategy, 'train' as split, rank
        from {{ ref('candidates') }}
        join (select query_id, doc_id as positive_id from {{ ref('candidates') }} where rank <= 2) using (query_id)
        where doc_id <> positive_id""",
}
HELD_BACK = 100
"""Every so many documents, one comes later."""


def write(root: Path, limit: int) -> None:
    for folder in ("pipelines", "sql"):
        (root / folder).mkdir()
    (root / "project.yml").write_text(f"name: large\nsettings: {{memory_limit: {limit}MB}}\n")
    (root / "pipelines/all.yml").write_text(STAGES)
    for name, text in SQL.items():
        (root / f"sql/{name}.sql").write_text(text)


def write_collection(root: Path, documents: int, whole: bool) -> None:
    """Without a hundredth of the documents unless `whole`."""
    some = random.Random(0)
    with (root / "corpus.jsonl").open("w") as stream:
        for number in range(documents):
            text = " ".join(some.choices(WORDS, k=833))
            if whole or number % HELD_BACK:
                stream.write(json.dumps({"doc_id": f"d{number}", "title": "", "text": text}) + "\n")
    with (root / "queries.jsonl").open("w") as stream:
        for number in range(1_000):
            stream.write(json.dumps({"query_id": f"q{number}", "text": " ".join(some.choices(WORDS, k=8))}) + "\n")


def peaks(project: Project) -> dict[str, int]:
    """Build; the highest resident memory of each stage, in MB."""
    result = project.run()
    assert result.ok, [str(stage.error) for stage in result.results if stage.error]
    query = "select stage, peak_memory_mb from _hnm.run_stages where status = 'built' and invocation_id = ?"
    return {
        row["stage"]: round(row["peak_memory_mb"]) for row in project.query(query, [result.invocation_id]).to_pylist()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit-mb", type=int, default=400)
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        documents = options.limit_mb * options.times * 200
        write(root, options.limit_mb)
        write_collection(root, documents, whole=False)
        first = peaks(Project.load(root))
        write_collection(root, documents, whole=True)
        again = peaks(Project.load(root))
        size = (root / "corpus.jsonl").stat().st_size
    told = {
        "documents": documents,
        "corpus_mb": round(size / 1e6),
        "memory_limit_mb": options.limit_mb,
        "stages": {name: {"peak_mb": peak, "again_mb": again.get(name)} for name, peak in first.items()},
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
