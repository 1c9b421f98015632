"""Sources that a template switches off."""

import pytest
from tiny_project import TinyProject

YAML = """
    sources:
      - {name: shelf, format: csv, tables: {corpus: {path: data/corpus.csv}}}
      - name: away
        format: csv
        enabled: "{{ var('away', 'away') == 'away' }}"
        tables: {corpus: {path: data/other.csv}}
    stages:
      - {name: documents}
      - {name: others, enabled: "{{ var('away', 'away') is not none }}"}
"""
SQL = {
    "documents": "select * from {{ source('shelf', 'corpus') }}",
    "others": "select * from {{ source(var('away', 'away'), 'corpus') }}",
}


@pytest.fixture
def project(tiny: TinyProject) -> TinyProject:
    tiny.write("data/other.csv", "doc_id,title,text\no1,other,x\n")
    tiny.stages(YAML, **SQL)
    return tiny


def test_a_source_is_there_unless_it_is_switched_off(project: TinyProject) -> None:
    assert project.load().manifest.nodes.keys() == {"shelf.corpus", "away.corpus", "documents", "others"}
    assert project.load(away=None).manifest.nodes.keys() == {"shelf.corpus", "documents"}


def test_another_source_takes_its_place(project: TinyProject) -> None:
    assert project.load(away="shelf").manifest.nodes.keys() == {"shelf.corpus", "documents", "others"}
    assert set(project.outcomes(away="shelf").values()) == {"built"}
    assert len(project.rows("select * from others")) == 4


def test_what_is_switched_off_cannot_be_read(project: TinyProject) -> None:
    project.write("sql/others.sql", "select * from {{ source('away', 'corpus') }}")
    assert "reads 'away.corpus', which is disabled" in project.refused(away="shelf").what
