"""A project whose collection, positives, vectors and ranked lists are written by hand, and whose negatives are mined
from them by the SQL of the default pipeline: no model, built in a second.

The query q points at (1, 0) and its positive p at (0.6, 0.8): d(Q,PD) = 0.4. The candidates:
  a  (0.8,  0.6)   d(Q,D) = 0.2   d(PD,D) = 0.04    closer to q than p is, but closer to p still
  b  (0.8, -0.6)   d(Q,D) = 0.2   d(PD,D) = 1       meets both conditions of the paper
  c  (0.28, 0.96)  d(Q,D) = 0.72  d(PD,D) = 0.064   farther from q than p is
  r  (0, -1)       d(Q,D) = 1     d(PD,D) = 1.8     drawn at random
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny_project import TinyProject

from hnm.cli.console import stderr, stdout
from hnm.cli.main import _run

SQL = Path(__file__).parents[1] / "sql"
HOSTILE = "[bold]not bold[/bold] [/] ' || chr(27) || '[31mnot red"
MINED = ("texts", "right_answers", "scored_candidates", "negatives", "negative_measures", "negative_quality_by_query",
         "negative_quality", "exclusion_funnel", "negative_ranks", "retriever_overlap")  # fmt: skip

PROJECT = """
    name: mined
    vars:
      positives_from: clicks
      min_lower_bound: 0.3
      positives_per_query: 2
      retrievers: [bm25, minilm]
      strategies:
        - {name: paper, rule: dual_criterion, per_positive: 1}
        - {name: top, rule: top, per_positive: 2, fills: [paper]}
        - {name: random, rule: random}
    targets: {dev: {warehouse: data/warehouse}}
    settings: {cores: 1, memory_limit: 500MB}
"""
PIPELINE = f"""
    stages:
      - name: triplets
        materialized: lance
      - name: ensemble
      - name: candidates
      - name: corpus
      - name: queries
      - name: judgments
      - name: click_evidence
      - name: positives
      - name: evaluation_queries
      - name: first_stage
      - name: runs
      - name: evaluations_by_query
      {"".join(f"- name: {name}" + chr(10) + "      " for name in MINED)}
"""
TABLES = {
    "corpus": f"""
        from (values
            ('p', '', 'one two'), ('p2', '', 'six'), ('p3', '', 'seven'),
            ('a', 'a', '{HOSTILE}'), ('b', '', 'five'), ('c', '', 'query' || chr(10) || 'next line'), ('r', '', 'r')
        ) as v (doc_id, title, text)
    """,
    "queries": f"""
        from (values
            ('q', 'query five', 'train'), ('lonely', 'nothing else', 'dev'),
            ('tried', 'clicked once', 'train'), ('ignored', 'never clicked', 'train'), ('unseen', 'five', 'train'),
            ('t', 'query of a test', 'test'), ('t-2', 'left out of a test', 'test'), ('t-3', 'no answer', 'test'),
            ('u', 'who knows', 'unjudged'), ('m[red]', '{HOSTILE}', 'train')
        ) as v (query_id, text, split)
    """,
    "judgments": """
        from (values
            ('q', 'p', 2, 'train'), ('q', 'b', 1, 'train'), ('t', 'p', 1, 'test'), ('t', 'c', 1, 'test'),
            ('t-2', 'p', 1, 'test'), ('t', 'a', 0, 'test')
        ) as v (query_id, doc_id, grade, split)
    """,
    "click_evidence": """
        from (values
            ('tried', 'a', 2, 1, 0.12), ('tried', 'b', 1, 1, 0.05), ('ignored', 'a', 0, 0, 0.0)
        ) as v (query_id, doc_id, clicks, clicked_sessions, lower_bound)
    """,
    "positives": """
        select *, 'clicks:by hand' as origin, null::integer as grade, lower_bound as weight
        from (values
            ('q', 'p', 1, 7, 5, 0.6::double, 'train'), ('q', 'p2', 2, 3, 3, 0.5, 'train'),
            ('q', 'p3', 3, 2, 2, 0.4, 'train'), ('lonely', 'p', 1, 4, 4, 0.5, 'dev')
        ) as v (query_id, doc_id, positive_rank, clicks, clicked_sessions, lower_bound, split)
        where lower_bound >= {{ var('min_lower_bound') }} and '{{ var('positives_from') }}' = 'clicks'
    """,
    "ensemble": """
        select kind, id, vector::float[2] as vector
        from (values
            ('query', 'q', [1, 0]), ('query', 'lonely', [0, 1]),
            ('document', 'p', [0.6, 0.8]), ('document', 'p2', [0, 1]), ('document', 'a', [0.8, 0.6]),
            ('document', 'b', [0.8, -0.6]), ('document', 'c', [0.28, 0.96]), ('document', 'r', [0, -1])
        ) as v (kind, id, vector)
    """,
    "candidates": """
        from (values
            ('q', 'p', 'bm25', 1, 9::float), ('q', 'a', 'bm25', 2, 8), ('q', 'b', 'bm25', 3, 7),
            ('q', 'c', 'bm25', 4, 6), ('q', 'a', 'minilm', 1, 0.8), ('q', 'b', 'minilm', 2, 0.75),
            ('q', 'r', 'random', 1, 0),
            ('t', 'p', 'bm25', 3, 5), ('t', 'p', 'minilm', 1, 0.5)
        ) as v (query_id, doc_id, retriever, rank, score)
    """,
    "triplets": """
        select query_id, positive_id, doc_id as negative_id, strategy, selected_rank, weight
        from {{ ref('negatives') }}
        join (select query_id, doc_id as positive_id, weight from {{ ref('positives') }}) using (query_id, positive_id)
        where exclusion_reason is null
    """,
    "evaluation_queries": "select query_id, text from {{ ref('queries') }} where query_id = 't'",
    "first_stage": """
        from (values ('t', 'a', 'bm25', 1, 9.0), ('t', 'b', 'bm25', 2, 8), ('t', 'p', 'bm25', 3, 7))
            as v (query_id, doc_id, retriever, rank, score)
    """,
    "runs": """
        from {{ ref('first_stage') }}
        union all
        from (values ('t', 'p', 'another', 1, 3.5), ('t', 'a', 'another', 2, 1), ('t', 'b', 'another', 3, -1))
    """,
    "evaluations_by_query": """
        from (values ('bm25', 't', 'RR@10', 1 / 3), ('another', 't', 'RR@10', 1.0))
            as v (model, query_id, measure, value)
    """,
}


def shared(factory: pytest.TempPathFactory) -> TinyProject:
    """The project, built once for all tests that only read it."""
    root = factory.getbasetemp() / "mined"
    return TinyProject(root) if root.exists() else mined_project(root)


@contextmanager
def command(
    name: str, project: TinyProject, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """`call(*arguments, columns=80, root=…)`: the exit code, stdout and stderr of a command, in this process."""

    def call(*arguments: str, columns: int = 80, root: Path = project.root) -> tuple[int, str, str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "argv", ["hnm", name, *arguments, "--project", str(root)])
        stdout.cache_clear()
        stderr.cache_clear()
        code = _run()
        return (code, *capsys.readouterr())

    yield call
    stdout.cache_clear()
    stderr.cache_clear()


def mined_project(root: Path) -> TinyProject:
    """The project in the folder `root`, built."""
    project = TinyProject(root)
    project.write("project.yml", PROJECT)
    project.write("pipelines/mined.yml", PIPELINE)
    for name, text in TABLES.items():
        project.write(f"sql/{name}.sql", text)
    for name in MINED:
        project.write(f"sql/{name}.sql", (SQL / f"{name}.sql").read_text(encoding="utf-8"))
    result = project.run()
    assert result.ok, [stage.error for stage in result.results if stage.error]
    return project
