"""A project small enough to run in a test, yet with one stage of every kind but a model."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import command_server

if TYPE_CHECKING:
    from hnm.api import Project
    from hnm.engine.run import RunResult, StageResult
    from hnm.errors import ProjectError

HNM = Path(sys.executable).with_name("hnm")

FILES = {
    "project.yml": """
        name: tiny
        vars: {least: 2}
        targets:
          dev: {warehouse: data/warehouse}
          prod: {warehouse: data/prod, vars: {least: 3}}
        settings: {cores: 1, memory_limit: 500MB}
    """,
    "pipelines/tiny.yml": """
        sources:
          - name: shelf
            format: csv
            tables: {corpus: {path: data/corpus.csv}}
        stages:
          - name: documents
            unique_key: doc_id
            columns: [{name: text, type: VARCHAR, tests: [not_null]}]
          - name: word_counts
            transform: counting:count_words
            inputs: {texts: ref(documents)}
            params: {lowercase: true}
            tags: [slow]
          - name: long_documents
          - name: vectors
            materialized: lance
            unique_key: doc_id
          - name: report
    """,
    "sql/documents.sql": "select doc_id, text from {{ source('shelf', 'corpus') }}\n",
    "sql/long_documents.sql": "select doc_id, words from {{ ref('word_counts') }} where words >= {{ var('least') }}\n",
    "sql/vectors.sql": "select doc_id, [words, 1]::float[2] as vector from {{ ref('word_counts') }}\n",
    "sql/report.sql": """
        select count(*) as documents, max(vector[1]) as most
        from {{ ref('long_documents') }} join {{ ref('vectors') }} using (doc_id)
    """,
    "counting.py": '''
        """Counts words."""
        from hnm.transform import Params, transform


        class CountParams(Params):
            lowercase: bool = False


        @transform(params=CountParams, inputs=("texts",))
        def count_words(inputs, params, context):
            """One row per document and the number of its different words."""
            import pyarrow as pa

            for batch in inputs.sql("select doc_id, text from texts order by doc_id"):
                texts = [text.lower() if params.lowercase else text for text in batch["text"].to_pylist()]
                counts = [len(set(text.split())) for text in texts]
                rows = [{"doc_id": id, "words": count} for id, count in zip(batch["doc_id"].to_pylist(), counts)]
                yield pa.RecordBatch.from_pylist(rows, pa.schema([("doc_id", pa.string()), ("words", pa.int32())]))
    ''',
    "data/corpus.csv": """
        doc_id,title,text
        d1,one,a b c
        d2,two,a a
        d3,three,a b c d e
        d4,four,A a b
    """,
}
STAGES = ("shelf.corpus", "documents", "word_counts", "long_documents", "vectors", "report")


class TinyProject:
    """A project in a folder, with what a test does to it: edit files, load, run, call the real command."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def write_to(cls, root: Path) -> "TinyProject":
        """The project as FILES has it, in the folder `root`."""
        project = cls(root)
        for name, text in FILES.items():
            project.write(name, text)
        return project

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project; common indentation is removed."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the one occurrence of `old` in a file."""
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def stages(self, yaml: str, **sql: str) -> None:
        """Replace all pipelines by one file, and write SQL files by stage."""
        for path in (self.root / "pipelines").iterdir():
            path.unlink()
        self.write("pipelines/tiny.yml", yaml)
        for name, text in sql.items():
            self.write(f"sql/{name}.sql", text)

    def load(self, target: str | None = None, **variables: Any) -> "Project":
        from hnm.api import Project

        return Project.load(self.root, target, variables)

    def run(self, *select: str, full_refresh: bool = False, **variables: Any) -> "RunResult":
        project = self.load(**variables)
        return project.run(project.plan(select, full_refresh=full_refresh))

    def outcomes(self, *select: str, **variables: Any) -> dict[str, str]:
        """Run; then the outcome of each stage by name."""
        return {result.name: result.outcome for result in self.run(*select, **variables).results}

    def only(self, *select: str) -> "StageResult":
        """Run one stage; its result."""
        (result,) = self.run(*select).results
        return result

    def refused(self, **load: Any) -> "ProjectError":
        """The error of a project that must not load."""
        import pytest

        from hnm.errors import ProjectError

        with pytest.raises(ProjectError) as caught:
            self.load(**load)
        return caught.value

    def failure(self, *select: str) -> Any:
        """Run; the error of the one stage that fails."""
        (failed,) = [result for result in self.run(*select).results if result.outcome == "failed"]
        return failed.error

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.load().query(sql, values).to_pylist()]

    def hnm(self, *arguments: str, env: dict[str, str] | None = None, text: str | None = None) -> Any:
        """The real command in this project, with stdout and stderr apart.

        The script itself where there are variables or a text for it, otherwise `main()` in a process of its own.
        """
        if env is None and text is None:
            return command_server.call(list(arguments), self.root, environment())
        return subprocess.run(
            [HNM, *arguments],
            cwd=self.root,
            env=environment(env),
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """The real command in this project, running."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [HNM, *arguments], cwd=self.root, env=environment(), stdout=pipe, stderr=pipe, text=True
        )


def environment(more: dict[str, str] | None = None) -> dict[str, str]:
    """The environment of child processes: 80 columns, and no bytecode that could outlive an edit within a second."""
    return {**os.environ, "COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": "1", **(more or {})}


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Poll until the condition holds; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
