"""Peak memory of each stage when the corpus is many times larger than `memory_limit`; prints JSON.

    python benchmarks/memory.py [--limit-mb 400] [--times 10]

Documents are made up: 5,000 characters each, as many as it takes. The stages are those of the default pipeline from the
source to the ensemble's candidates, with WordLlama alone, for the point is memory and not time. `peak_mb` is the
process's resident set while the stage ran, libraries included (torch alone takes 400 MB).
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
"""
SQL = {
    "corpus": "select doc_id, text from {{ source('collection', 'corpus') }}",
    "texts": """select 'document' as kind, doc_id as id, text, md5(text) as text_hash from {{ ref('corpus') }}
        union all select 'query', query_id, text, md5(text) from {{ source('collection', 'queries') }}""",
}


def write(root: Path, documents: int, limit: int) -> None:
    some = random.Random(0)
    for folder in ("pipelines", "sql"):
        (root / folder).mkdir()
    (root / "project.yml").write_text(f"name: large\nsettings: {{memory_limit: {limit}MB}}\n")
    (root / "pipelines/all.yml").write_text(STAGES)
    for name, text in SQL.items():
        (root / f"sql/{name}.sql").write_text(text)
    with (root / "corpus.jsonl").open("w") as stream:
        for number in range(documents):
            text = " ".join(some.choices(WORDS, k=833))
            stream.write(json.dumps({"doc_id": f"d{number}", "title": "", "text": text}) + "\n")
    with (root / "queries.jsonl").open("w") as stream:
        for number in range(1_000):
            stream.write(json.dumps({"query_id": f"q{number}", "text": " ".join(some.choices(WORDS, k=8))}) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit-mb", type=int, default=400)
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        documents = options.limit_mb * options.times * 200
        write(root, documents, options.limit_mb)
        size = (root / "corpus.jsonl").stat().st_size
        project = Project.load(root)
        result = project.run()
        assert result.ok, [str(stage.error) for stage in result.results if stage.error]
        query = "select stage, peak_memory_mb, seconds from _hnm.run_stages where status = 'built'"
        rows = project.query(query).to_pylist()
    told = {
        "documents": documents,
        "corpus_mb": round(size / 1e6),
        "memory_limit_mb": options.limit_mb,
        "stages": {
            row["stage"]: {"peak_mb": round(row["peak_memory_mb"]), "seconds": round(row["seconds"], 1)} for row in rows
        },
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
