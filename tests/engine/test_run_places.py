"""Stages that are not plain tables: Lance tables and models, and how they are published."""

import shutil

import pytest

PIPELINE = "pipelines/tiny.yml"


# Lance.


def test_a_lance_table_gets_a_version_only_when_its_content_changed(built):
    first = built.load().state()["vectors"]
    assert (built.root / "data/warehouse" / first.location).is_dir()
    built.edit("sql/vectors.sql", "[words, 1]", "[words, 1 + 0]")
    assert built.outcomes()["vectors"] == "built"
    assert built.load().state()["vectors"].lance_version == first.lance_version
    built.edit("sql/vectors.sql", "[words, 1 + 0]", "[words, 2]")
    assert built.outcomes()["vectors"] == "built"
    assert built.load().state()["vectors"].lance_version > first.lance_version
    assert built.rows("select vector from vectors where doc_id = 'd1'") == [([3.0, 2.0],)]


def test_the_old_version_is_read_until_the_new_one_is_published(built):
    built.edit(PIPELINE, "materialized: lance", "materialized: lance\n    tests: [{row_count: {min: 100}}]")
    built.edit("sql/vectors.sql", "[words, 1]", "[words, 2]")
    assert built.outcomes()["vectors"] == "failed"
    assert built.rows("select vector from vectors where doc_id = 'd1'") == [([3.0, 1.0],)]


def test_an_empty_lance_table(tiny):
    tiny.edit("sql/vectors.sql", "from", "from (select * from")
    tiny.edit("sql/vectors.sql", "}}", "}}) where false")
    assert tiny.run().ok
    assert tiny.rows("select count(*) from vectors") == [(0,)]


def test_what_lance_cannot_hold_fails_the_stage_in_words(tiny):
    tiny.edit("sql/vectors.sql", "doc_id,", "doc_id, interval 1 day as age,")
    assert "Interval" in str(tiny.failure())


def test_a_stage_moves_from_table_to_lance_and_back(built):
    built.edit(PIPELINE, "materialized: lance", "materialized: table")
    assert built.outcomes()["vectors"] == "built"
    built.edit("sql/vectors.sql", "[words, 1]", "[words, 7]")
    built.edit(PIPELINE, "materialized: table", "materialized: lance")
    assert built.outcomes()["vectors"] == "built"
    assert built.rows("select vector[2] from vectors limit 1") == [(7.0,)]
    assert built.rows("select * from duckdb_tables() where table_name = 'vectors'") == []
    assert built.rows("select documents from report") == [(3,)]


def test_a_lance_version_that_was_removed_is_said_so(built):
    shutil.rmtree(built.root / "data/warehouse/lance/vectors.lance/_versions")
    built.write("sql/report.sql", "select * from {{ ref('vectors') }}")
    (entry,) = built.load().plan(["report"]).entries
    assert (entry.status, entry.reason) == ("blocked", "needs vectors, never built and not selected")
    assert built.run("vectors", "report").ok


# Models.

MODEL = """
sources: [{name: shelf, format: csv, tables: {corpus: {path: data/corpus.csv}}}]
stages:
  - {name: ranker, transform: "training:train", inputs: {texts: "source(shelf, corpus)"}, params: {seed: 1}}
  - {name: ranked, transform: "training:rank", inputs: {model: ref(ranker)}}
"""
TRAINING = """
import pyarrow as pa

from hnm.transform import Params, transform


class TrainParams(Params):
    seed: int = 0


@transform(params=TrainParams, inputs=("texts",), produces="model")
def train(inputs, params, context):
    context.model_folder.mkdir(parents=True, exist_ok=True)
    (context.model_folder / "weights").write_text(str(params.seed % 2))
    (context.model_folder / "README.md").write_text(str(params.seed))
    yield pa.RecordBatch.from_pydict({"step": [1], "loss": [0.5]})


@transform(params=Params, inputs=("model",))
def rank(inputs, params, context):
    weights = (inputs.model("model") / "weights").read_text()
    yield pa.RecordBatch.from_pydict({"weights": [weights]})
"""


def test_a_model_is_published_by_its_content(tiny):
    tiny.stages(MODEL)
    tiny.write("training.py", TRAINING)
    assert tiny.outcomes() == {"shelf.corpus": "built", "ranker": "built", "ranked": "built"}
    first = tiny.load().state()["ranker"]
    assert (tiny.root / "data/warehouse" / first.location / "weights").read_text() == "1"
    assert tiny.rows("select * from ranker") == [(1, 0.5)]
    tiny.edit(PIPELINE, "seed: 1", "seed: 3")
    assert tiny.outcomes() == {"shelf.corpus": "fresh", "ranker": "built", "ranked": "fresh"}
    assert tiny.load().state()["ranker"].location == first.location
    tiny.edit(PIPELINE, "seed: 3", "seed: 4")
    assert tiny.outcomes() == {"shelf.corpus": "fresh", "ranker": "built", "ranked": "built"}
    assert tiny.rows("select weights from ranked") == [("0",)]
    assert tiny.load().state()["ranker"].location != first.location


def test_a_model_folder_that_was_removed_is_trained_again(tiny):
    tiny.stages(MODEL)
    tiny.write("training.py", TRAINING)
    tiny.run()
    shutil.rmtree(tiny.root / "data/warehouse/models")
    assert tiny.outcomes() == {"shelf.corpus": "fresh", "ranker": "built", "ranked": "fresh"}


def test_a_model_folder_that_was_damaged_is_replaced_by_a_full_refresh(tiny):
    tiny.stages(MODEL)
    tiny.write("training.py", TRAINING)
    tiny.run()
    (weights,) = (tiny.root / "data/warehouse/models").rglob("weights")
    weights.write_text("rubbish")
    assert tiny.run("ranker", full_refresh=True).ok
    assert weights.read_text() == "1"
    weights.unlink()
    assert tiny.run("ranker", full_refresh=True).ok
    assert weights.read_text() == "1"


@pytest.mark.parametrize("harm", [lambda weights: weights.unlink(), lambda weights: weights.write_text("rubbish")])
def test_a_damaged_model_is_not_read(tiny, harm):
    tiny.stages(MODEL)
    tiny.write("training.py", TRAINING)
    assert tiny.run("+ranker").ok
    (weights,) = (tiny.root / "data/warehouse/models").rglob("weights")
    harm(weights)
    error = tiny.failure()
    assert "the model ranker is not as it was built" in str(error)
    assert "hnm run --select ranker --full-refresh" in str(error)
    assert tiny.run("ranker", full_refresh=True).ok
    assert tiny.run().ok


def test_a_training_that_leaves_no_model_fails(tiny):
    tiny.stages(MODEL)
    tiny.write("training.py", "\n".join(line for line in TRAINING.splitlines() if "write_text" not in line))
    error = tiny.failure()
    assert "left no model" in error.what
