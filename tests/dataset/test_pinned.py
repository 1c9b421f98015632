"""Inputs that name a version of a Lance stage: what makes them stale, what keeps them, and what is refused."""

import json

import pytest

from hnm.dataset.find import find
from hnm.dataset.tags import tag
from hnm.errors import WarehouseError

COUNTING = '''
    """Counts rows."""
    from hnm.transform import Params, transform


    @transform(params=Params, inputs=("triplets",), optional_inputs=("before",))
    def count_rows(inputs, params, context):
        """One row: how many triplets there are."""
        context.record(read=inputs.origin("triplets").name)
        before = "(select count(*) from before)" if "before" in inputs else "null"
        yield from inputs.sql(f"select count(*) as triplets, {before} as before from triplets")
'''
READER = """
      - name: counted
        transform: rows:count_rows
        inputs: {triplets: ref(triplets@v1)}
"""


@pytest.fixture
def pinned(versions):
    """Triplets v1 of 6 rows and v2 of 9, the current one; and `counted`, a Python stage that reads v1."""
    versions.write("rows.py", COUNTING)
    pipeline = versions.root / "pipelines/tiny.yml"
    pipeline.write_text(pipeline.read_text() + READER.replace("\n      ", "\n  "))
    return versions


def reads(project, text, name="triplets"):
    project.edit("pipelines/tiny.yml", "inputs: {triplets: ref(triplets@v1)}", f"inputs: {{{name}: {text}}}")


def entry(project, stage="counted"):
    (found,) = project.load().plan([stage]).entries
    return found


def retag(project, name, version):
    warehouse = project.load().warehouse
    tag(warehouse, find(warehouse, "triplets", version), name, move=True)


def test_a_stage_reads_the_version_that_its_input_names(pinned):
    assert pinned.outcomes("counted") == {"counted": "built"}
    assert pinned.rows("select triplets from counted") == [(6,)]
    assert pinned.load().state()["counted"].facts["read"] == "triplets@v1"


def test_new_triplets_leave_it_fresh_and_it_is_not_among_what_is_built_from_them(pinned):
    pinned.run("counted")
    outcomes = pinned.outcomes("triplets", "counted", per_pair=4)
    assert outcomes == {"triplets": "built", "counted": "fresh"}
    assert "counted" not in pinned.load().select(["triplets+"])


def test_triplets_that_cannot_be_built_do_not_block_it(pinned):
    pinned.write("sql/pairs.sql", "select nothing from {{ source('shelf', 'judgments') }}")
    outcomes = pinned.outcomes()
    assert (outcomes["triplets"], outcomes["counted"]) == ("skipped", "built")


def test_a_moved_tag_makes_it_stale_and_the_reason_names_it(pinned):
    pinned.run("counted")
    retag(pinned, "v1", "v2")
    assert entry(pinned).reasons == ("input triplets@v1 +9 -6 rows",)
    assert pinned.outcomes("counted") == {"counted": "built"}
    assert pinned.rows("select triplets from counted") == [(9,)]


def test_a_name_for_what_was_read_changes_nothing(pinned):
    reads(pinned, "ref(triplets)")
    pinned.run("counted", per_pair=3, shift=1)
    pinned.edit("pipelines/tiny.yml", "ref(triplets)}", "ref(triplets@v2)}")
    assert entry(pinned).status == "fresh"


@pytest.mark.parametrize("version", ["1", "digest"])
def test_a_version_is_called_by_its_number_or_digest_too(pinned, version):
    known = find(pinned.load().warehouse, "triplets", "v1")
    reads(pinned, f"ref(triplets@{version if version == '1' else known.data_version[:8]})")
    pinned.run("counted")
    assert pinned.rows("select triplets from counted") == [(6,)]


def test_two_inputs_may_be_two_versions_of_one_stage(pinned):
    reads(pinned, "ref(triplets@v1), before: ref(triplets@v2)")
    pinned.run("counted")
    assert pinned.rows("select triplets, before from counted") == [(6, 9)]
    pinned.edit("pipelines/tiny.yml", "triplets: ref(triplets@v1), before: ref(triplets@v2)",
                "triplets: ref(triplets@v2), before: ref(triplets@v1)")  # fmt: skip
    assert entry(pinned).status == "run"
    pinned.run("counted")
    assert pinned.rows("select triplets, before from counted") == [(9, 6)]


def test_a_version_stands_beside_what_is_current(pinned):
    reads(pinned, "ref(triplets@v1), before: ref(triplets)")
    outcomes = pinned.outcomes("+counted", per_pair=4)
    assert outcomes["triplets"] == outcomes["counted"] == "built"
    assert pinned.rows("select triplets, before from counted") == [(6, 12)]
    assert pinned.outcomes("+counted", per_pair=5)["counted"] == "built"


def test_sql_reads_a_version_as_well(pinned):
    pinned.edit("pipelines/tiny.yml", "- name: counted", "- name: gone\n  - name: counted")
    pinned.write("sql/gone.sql", "select negative_id from {{ ref('triplets@v1') }} except "
                 "select negative_id from {{ ref('triplets') }}")  # fmt: skip
    assert pinned.run("gone").ok
    assert pinned.rows("select * from gone") == [("n1",)]
    retag(pinned, "v1", "v2")
    assert entry(pinned, "gone").reasons == ("input triplets@v1 +9 -6 rows",)


def test_a_tag_with_a_dot_is_read_by_sql(pinned):
    retag(pinned, "v1.0", "v1")
    pinned.edit("pipelines/tiny.yml", "- name: counted", "- name: all_of_it\n  - name: counted")
    pinned.write("sql/all_of_it.sql", "select count(*) as rows from {{ ref('triplets@v1.0') }}")
    assert pinned.run("all_of_it").ok
    assert pinned.rows("select rows from all_of_it") == [(6,)]


def test_an_unknown_version_is_an_error_of_the_plan_with_place_and_near_match(pinned):
    reads(pinned, "ref(triplets@v3)")
    said = pinned.hnm("plan", "--select", "counted")
    assert said.returncode == 1
    line = 1 + (pinned.root / "pipelines/tiny.yml").read_text().splitlines().index(
        "    inputs: {triplets: ref(triplets@v3)}"
    )
    words = " ".join(said.stderr.split())
    assert "counted reads triplets@v3, but triplets has no version 'v3'" in words
    assert f"pipelines/tiny.yml:{line}" in said.stderr.replace("\n", "")
    assert "its tags: v1, v2" in words and "did you mean 'v2'" in words
    assert pinned.outcomes("triplets", per_pair=4) == {"triplets": "built"}  # what does not read it goes on


def test_a_version_is_refused_before_anything_is_built(tiny):
    tiny.edit("pipelines/tiny.yml", "ref(documents)", "ref(vectors@v1)")
    with pytest.raises(WarehouseError) as caught:
        tiny.load().plan(["word_counts"])
    assert "word_counts reads vectors@v1" in caught.value.what and caught.value.where


def test_only_lance_stages_have_versions(pinned):
    reads(pinned, "ref(pairs@v1)")
    error = pinned.refused()
    assert "counted reads pairs@v1, but pairs keeps no versions" in error.what
    assert error.where and error.where.line and "materialized: lance" in str(error.hint)


def test_a_version_of_an_unknown_stage_is_an_unknown_stage(pinned):
    reads(pinned, "ref(triplet@v1)")
    error = pinned.refused()
    assert error.what == "counted reads the unknown stage 'triplet'"
    assert "'triplets'" in str(error.hint)


def test_gc_keeps_a_version_that_an_input_names_before_and_after_it_is_read(pinned):
    reads(pinned, "ref(triplets@1)")
    pinned.hnm("dataset", "untag", "v1")
    pinned.load().gc(dry_run=False)
    said = pinned.hnm("dataset", "rm", "triplets@1")
    assert said.returncode == 1 and "is an input of a stage, as triplets@1" in said.stderr
    assert pinned.outcomes("counted") == {"counted": "built"}
    pinned.load().gc(dry_run=False)
    assert pinned.outcomes("counted") == {"counted": "fresh"}


def test_gc_goes_on_when_a_version_is_unknown(pinned):
    reads(pinned, "ref(triplets@v3)")
    assert pinned.hnm("gc", "--yes").returncode == 0


def test_what_reads_what_is_told(pinned):
    (told,) = json.loads(pinned.hnm("ls", "--select", "counted", "--json").stdout)
    assert (told["depends_on"], told["pinned"]) == ([], ["triplets@v1"])
    assert "triplets@v1" in pinned.hnm("show", "counted").stderr
    node = json.loads(pinned.load().write_manifest().read_text())["nodes"]["model.tiny.counted"]
    assert node["refs"] == [{"name": "triplets", "version": "v1"}]
    assert node["depends_on"]["nodes"] == []


def test_a_dataset_that_was_made_from_a_pinned_version_names_it_and_is_not_reproduced(pinned):
    pinned.edit(
        "pipelines/tiny.yml", "transform: rows:count_rows", "transform: rows:count_rows\n    materialized: lance"
    )
    pinned.run("counted")
    shown = pinned.hnm("dataset", "show", "counted")
    assert shown.returncode == 0 and "triplets" in shown.stdout
    said = pinned.hnm("dataset", "reproduce", "counted")
    assert said.returncode == 1 and "triplets@v1" in said.stdout + said.stderr


def test_a_model_says_on_which_version_it_was_trained(pinned, tiny_cross_encoder):
    pinned.edit(
        "pipelines/tiny.yml",
        READER.strip("\n").replace("      ", "  ", 1).replace("\n      ", "\n  "),
        f"""\
  - name: reranker
    transform: train_cross_encoder
    inputs: {{triplets: ref(triplets@v1)}}
    params:
      model: {tiny_cross_encoder}
      negatives: [{{strategies: [paper], per_group: 1}}]
      max_length: 32""",
    )
    assert pinned.run("reranker").ok
    digest = find(pinned.load().warehouse, "triplets", "v1").data_version
    (model,) = json.loads(pinned.hnm("model", "list", "--json").stdout)
    assert model["dataset_version"] == {"triplets@v1": digest}
    assert model["facts"]["dataset"] == {"name": "triplets@v1", "data_version": digest}
    assert "triplets@v1" in pinned.hnm("model", "list").stdout
    (card,) = (pinned.root / "data/warehouse/models/reranker").glob("*/README.md")
    assert "| dataset | name: triplets@v1, data_version: " + digest in card.read_text()
    assert pinned.outcomes("triplets", "reranker", per_pair=4) == {"triplets": "built", "reranker": "fresh"}
