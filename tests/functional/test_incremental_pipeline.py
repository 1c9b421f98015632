"""The default pipeline up to its statistics, brought up to date again and again, against building it in full."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from hnm.api import Project
from hnm.project.init import init_project, parse_source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

TOPICS = ("heart", "liver", "kidney", "lung", "skin", "bone", "blood", "eye", "ear", "brain")
ASPECTS = ("causes", "symptoms", "treatment", "outlook", "risk", "diet", "genes", "tests")
LEFT_OUT = ["reranker_hard+", "reranker_random+", "reranked_start+", "source:away+"]
KEPT = ["embeddings_minilm", "embeddings_wordllama", "ensemble_pca"]
"""What an incremental result may depend on beside the data: vectors that were made once, and the fit."""


class Collection:
    """Documents, questions and judgments that can be edited, and written as a BEIR folder."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        pairs = [(topic, aspect) for topic in TOPICS for aspect in ASPECTS]
        self.documents = {f"d{n:03}": self.text(*pair) for n, pair in enumerate(pairs)}
        self.queries = {f"q{n:03}": f"{aspect} of {topic} disease" for n, (topic, aspect) in enumerate(pairs) if n % 2}
        self.judgments = {(f"q{n:03}", f"d{n:03}"): 1 for n in range(len(pairs)) if n % 2}

    def text(self, topic: str, aspect: str) -> str:
        words = [self.random.choice(ASPECTS + TOPICS) for _ in range(6)]
        return f"The {aspect} of {topic} disease: {' '.join(words)}."

    def any_text(self) -> str:
        return self.text(self.random.choice(TOPICS), self.random.choice(ASPECTS))

    def edit(self) -> str:
        """One random edit; what it was."""
        some = self.random.choice
        kind = some(("insert", "edit", "delete", "ask", "echo", "reword", "judge", "forget"))
        if kind == "insert":
            self.documents[f"d{self.random.randrange(500, 999)}"] = self.any_text()
        elif kind == "edit":
            self.documents[some(sorted(self.documents))] = self.any_text()
        elif kind == "delete":
            gone = some(sorted(self.documents))
            del self.documents[gone]
            self.judgments = {pair: grade for pair, grade in self.judgments.items() if pair[1] != gone}
        elif kind == "ask":
            name = f"q{self.random.randrange(500, 999)}"
            self.queries[name] = f"what helps with {some(TOPICS)} {some(ASPECTS)}"
            self.judgments[name, some(sorted(self.documents))] = 1
        elif kind == "echo":  # a query that asks the same as another
            name = f"q{self.random.randrange(500, 999)}"
            self.queries[name] = self.queries[some(sorted(self.queries))].upper()
            self.judgments[name, some(sorted(self.documents))] = 1
        elif kind == "reword":
            self.queries[some(sorted(self.queries))] = f"tell me about {some(TOPICS)} {some(ASPECTS)}"
        elif kind == "judge":
            self.judgments[some(sorted(self.queries)), some(sorted(self.documents))] = self.random.randint(0, 2)
        elif len(self.judgments) > 10:
            del self.judgments[some(sorted(self.judgments))]
        return kind

    def write(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "qrels").mkdir(parents=True)
        rows = [{"_id": name, "title": "", "text": text} for name, text in self.documents.items()]
        (self.folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        rows = [{"_id": name, "text": text} for name, text in self.queries.items()]
        (self.folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        lines = [f"{query}\t{document}\t{grade}\n" for (query, document), grade in self.judgments.items()]
        (self.folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))


class Interrupted(BaseException):
    """Stands for a kill between two stages: nothing of the run after it happens."""


def run(root: Path, full: bool = False, stop_after: int | None = None, **variables: Any) -> None:
    from hnm.api import SilentListener

    class Impatient(SilentListener):
        def finished(self, result: Any, index: int, total: int) -> None:
            if index == stop_after:
                raise Interrupted

    project = Project.load(root, variables=variables)
    plan = project.plan(exclude=[*LEFT_OUT, *(KEPT if full else [])], full_refresh=full)
    try:
        result = project.run(plan, Impatient())
    except Interrupted:
        return
    assert result.ok, [str(stage.error) for stage in result.results if stage.error]


def content(root: Path) -> dict[str, list[dict[str, Any]]]:
    project = Project.load(root)
    names = [name for name in project.state() if "." not in name and name not in KEPT]
    return {name: project.query(f"select * from {name} order by all").to_pylist() for name in names}


@pytest.mark.parametrize("seed", [1, 2])
def test_incremental_equals_full_for_the_whole_pipeline(tmp_path: Path, seed: int) -> None:
    collection = Collection(tmp_path / "collection", seed)
    collection.write()
    root = tmp_path / "project"
    init_project(root, parse_source(f"beir:{collection.folder}", None))
    variables: dict[str, Any] = {}
    for _ in range(4):
        run(root, **variables)
        edits = [collection.edit() for _ in range(collection.random.randint(1, 6))]
        collection.write()
        if collection.random.random() < 0.3:
            variables = {"positives_per_query": collection.random.randint(1, 4)}
        if collection.random.random() < 0.5:  # killed on the way, then edited again
            run(root, stop_after=collection.random.randint(5, 25), **variables)
            edits.append(collection.edit())
            collection.write()
    run(root, **variables)
    incremental = content(root)
    run(root, full=True, **variables)
    full = content(root)
    assert incremental.keys() == full.keys()
    for name, rows in full.items():
        assert incremental[name] == rows, f"{name} differs, after {edits}"
