"""scored_candidates as pipelines/candidates.yml declares it, when queries come to ask the same, and no longer do."""

from pathlib import Path

import yaml
from sql_stages import SQL
from tiny_project import TinyProject

QUERIES = ("one", "two", "three", "four", "five", "six")
TEXTS = """
    select 'document' as kind, 'd' || i as id, 'document ' || i as text, 'd' || i as normalized_hash from range(6) t(i)
    union all
    select 'query', id, text, '' from (values {queries}) as asked (id, text)
"""
GIVEN = {
    "positives": """
        select 'q' || i as query_id, 'd' || i as doc_id, 1 as positive_rank, 'train' as split from range(6) t(i)
    """,
    "candidates": """
        select 'q' || i as query_id, 'd' || j as doc_id, 'bm25' as retriever, j + 1 as rank, 1.0::float as score
        from range(6) queries (i), range(6) documents (j)
    """,
    "ensemble": "select kind, id, [1, ascii(right(id, 1))]::float[2] as vector from {{ ref('texts') }}",
}
KEYS = {
    "texts": ["kind", "id"],
    "positives": ["query_id", "doc_id"],
    "candidates": ["query_id", "doc_id", "retriever"],
    "ensemble": ["kind", "id"],
}


def ask(project: TinyProject, questions: tuple[str, ...]) -> list[tuple[str, str]]:
    """Build with these texts of q0, q1, …; which candidates are right answers of another query's positive."""
    asked = ", ".join(f"('q{number}', '{text}')" for number, text in enumerate(questions))
    project.write("sql/texts.sql", TEXTS.format(queries=asked))
    result = project.run()
    assert result.ok, [str(stage.error) for stage in result.results if stage.error]
    return project.rows(
        "select query_id, doc_id from scored_candidates where is_known_positive and doc_id <> positive_id order by all"
    )


def test_brought_up_to_date_is_built_in_full(tmp_path: Path) -> None:
    project = TinyProject(tmp_path)
    declared = yaml.safe_load((SQL.parent / "pipelines/candidates.yml").read_text(encoding="utf-8"))["stages"]
    stages = [stage for stage in declared if stage["name"] in ("right_answers", "scored_candidates")]
    stages += [{"name": name, "unique_key": key} for name, key in KEYS.items()]
    project.write("project.yml", yaml.safe_dump({"name": "asked", "vars": {"retrievers": ["bm25"]}}))
    project.write("pipelines/asked.yml", yaml.safe_dump({"stages": stages}))
    for name in ("right_answers", "scored_candidates"):
        project.write(f"sql/{name}.sql", (SQL / f"{name}.sql").read_text(encoding="utf-8"))
    for name, sql in GIVEN.items():
        project.write(f"sql/{name}.sql", sql)
    assert ask(project, QUERIES) == []
    assert ask(project, ("one", "One?", *QUERIES[2:])) == [("q0", "d1"), ("q1", "d0")]
    assert ask(project, QUERIES) == []  # q0 is as it was: only the other query's text changed
