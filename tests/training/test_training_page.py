"""docs/training.md: every stage that the page shows is trained, with a tiny model on a handful of documents."""

import re
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml
from doc_pages import blocks, page
from tiny_project import TinyProject

PROJECT = "name: page\nsettings: {cores: 1, memory_limit: 500MB, precision: fp32}\n"
GIVEN = {
    "queries": """
        select 'q' || i as query_id, 'lake' || i as text, if(i < 6, 'train', 'dev') as split from range(10) t(i)
    """,
    "texts": """
        select 'query' as kind, query_id as id, text from {{ ref('queries') }}
        union all select 'document', 'd' || i, 'the lake' || i || ' is deep' from range(10) t(i)
        union all select 'document', 'x' || i, 'fox den ' || i from range(5) t(i)
    """,
    "judgments": """
        select query_id, 'd' || query_id[2:] as doc_id, 1 as grade, split from {{ ref('queries') }}
    """,
    "positives": "select query_id, doc_id, 1.0 as weight from {{ ref('judgments') }} where split = 'train'",
    "candidates": """
        select query_id, id as doc_id, 'bm25' as retriever,
            row_number() over (partition by query_id order by md5(query_id || id)) as rank
        from {{ ref('queries') }} join {{ ref('texts') }} on kind = 'document'
    """,
    "candidates_bm25": "select query_id, doc_id, rank from {{ ref('candidates') }} where rank <= 4",
    "candidates_minilm": "select query_id, doc_id, 5 - rank as rank from {{ ref('candidates') }} where rank <= 4",
    "reranked_hard": """
        select query_id, doc_id, 'hard' as retriever, rank, (rank <= 4)::integer::float as score,
            'w' as model_version, 't' as dataset_version
        from {{ ref('candidates') }}
    """,
    "triplets": """
        select query_id, positives.doc_id as positive_id, wrong.id as negative_id, queries.text as query,
            rights.text as positive, wrong.text as negative, if(wrong.id[1] = 'x', 'random', 'paper') as strategy,
            row_number() over (partition by query_id, strategy order by wrong.id) as selected_rank,
            0.1 as d_query_positive, 0.3 as d_query_doc, 'train' as split
        from {{ ref('positives') }} as positives join {{ ref('queries') }} as queries using (query_id)
        join {{ ref('texts') }} as rights on rights.id = positives.doc_id and rights.kind = 'document'
        join {{ ref('texts') }} as wrong on wrong.id <> positives.doc_id and wrong.kind = 'document'
    """,
}


def smaller(stage: dict[str, Any]) -> dict[str, Any]:
    """The stage with the tiny model and a few steps."""
    if stage.get("transform") == "train_cross_encoder":
        few = {"max_length": 32, "groups_per_batch": 2, "max_steps": 3}
        start = {} if "start" in stage["inputs"] else {"model": "models/tiny"}
        return stage | {"params": stage["params"] | few | start}
    if stage.get("transform") == "judge":
        return stage | {"params": stage["params"] | {"max_length": 32}}
    return stage


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, tiny_cross_encoder: Path) -> TinyProject:
    text = page("training.md")
    project = TinyProject(tmp_path_factory.mktemp("training") / "page")
    stages: list[dict[str, Any]] = [{"name": name} for name in GIVEN]
    for block in blocks(text, "yaml"):
        stages += [smaller(stage) for stage in yaml.safe_load(block)["stages"]]
    project.write("project.yml", PROJECT)
    project.write("pipelines/page.yml", yaml.safe_dump({"stages": stages}))
    copytree(tiny_cross_encoder, project.root / "models/tiny")
    for name, sql in GIVEN.items():
        project.write(f"sql/{name}.sql", sql)
    for block in blocks(text, "sql"):
        named = re.match(r"-- (sql/\w+\.sql)\n", block)
        if named:
            project.write(named[1], block)
    result = project.run()
    assert result.ok, [str(stage.error) for stage in result.results if stage.error]
    return project


def test_a_second_run_finds_all_fresh(built: TinyProject) -> None:
    assert {stage.outcome for stage in built.run().results} == {"fresh"}


def test_ranks_that_are_mixed_in_change_an_order(built: TinyProject) -> None:
    mixed = "select query_id, doc_id, rank from reranked_mine_mixed"
    rows = "select query_id, doc_id, rank from reranked_hard"
    assert len(built.rows(mixed)) == len(built.rows(rows))
    assert built.rows(f"{mixed} except {rows}")


def test_self_mined_negatives_are_wrong_answers_that_the_model_liked(built: TinyProject) -> None:
    mined = built.rows("select query_id, negative_id from my_round_2_triplets where strategy = 'self_mined'")
    liked = built.rows("select query_id, doc_id from my_round_1_scores where rank <= 5")
    assert len(mined) == 24
    assert set(mined) <= set(liked)
    assert not set(mined) & set(built.rows("select query_id, doc_id from positives"))
    classes = built.rows("select distinct unnest(map_keys(scores)) from my_round_2")
    assert {name for (name,) in classes} == {"positive", "self_mined", "random"}


def test_the_question_to_the_log_is_answered(built: TinyProject) -> None:
    question = next(block for block in blocks(page("training.md"), "sql") if "share_of_paper" in block)
    rows = built.rows(question)
    assert len(rows) == 1
    assert all(value is not None for value in rows[0])


def test_a_curriculum_starts_where_the_first_stage_ended(built: TinyProject) -> None:
    facts = built.rows(
        "select facts->>'base_model' from _hnm.materializations where stage in ('my_second_lessons', 'my_round_2')"
        " order by stage"
    )
    assert [name.partition("/")[0] for (name,) in facts] == ["my_round_1", "my_first_lessons"]
