"""Verify, restore, reproduce; what cleaning up leaves; what concurrent and damaged states do."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import lance
import pytest
from triplet_project import damage, data_file, write_triplet_project

from hnm.api import SilentListener
from hnm.dataset.find import find, versions_of
from hnm.dataset.record import read_record
from hnm.dataset.reproduce import reproduce
from hnm.dataset.restore import restore
from hnm.dataset.tags import tag, untag
from hnm.dataset.verify import verify
from hnm.errors import HnmError, LockedError, WarehouseError
from hnm.warehouse.lock import run_lock


def outcome(project, version, stage="triplets"):
    loaded = project.load()
    return verify(loaded.warehouse, find(loaded.warehouse, stage, version), loaded.settings)


def bring_back(project, version):
    loaded = project.load()
    return restore(loaded.warehouse, find(loaded.warehouse, "triplets", version), loaded.settings, "dev", "restored")


def build_again(project, version, **options):
    loaded = project.load()
    return reproduce(loaded, find(loaded.warehouse, "triplets", version), SilentListener(), **options)


def test_intact_versions_are_equal(versions):
    assert [outcome(versions, version).outcome for version in ("v1", "v2")] == ["equal", "equal"]


def test_a_stage_that_is_versioned_by_some_columns_verifies(tiny):
    tiny.write(
        "marking.py",
        '''
        """Ids with a random mark."""
        import random

        from hnm.transform import Params, transform


        @transform(params=Params, inputs=("texts",), version_by=("doc_id",))
        def mark(inputs, params, context):
            """A mark that differs each time."""
            import pyarrow as pa

            ids = [id for batch in inputs.sql("select doc_id from texts") for id in batch["doc_id"].to_pylist()]
            yield pa.record_batch({"doc_id": ids, "mark": [random.random() for _ in ids]})
        ''',
    )
    tiny.stages(
        """
        sources:
          - name: shelf
            format: csv
            tables: {corpus: {path: data/corpus.csv}}
        stages:
          - {name: documents, unique_key: doc_id}
          - name: marks
            transform: marking:mark
            inputs: {texts: ref(documents)}
            materialized: lance
            unique_key: doc_id
        """
    )
    assert tiny.run().ok
    assert outcome(tiny, None, "marks").outcome == "equal"


def test_changed_bytes_are_damage(versions):
    damage(versions, "v1")
    found = outcome(versions, "v1")
    assert found.outcome == "damaged"
    assert found.why
    assert outcome(versions, "v2").outcome == "equal"


def test_other_rows_at_the_same_place_are_damage(versions):
    """A file of another version, whole and readable, under the name of this one's."""
    shutil.copyfile(data_file(versions, "v2"), data_file(versions, "v1"))
    assert outcome(versions, "v1").outcome == "damaged"


def test_a_deleted_fragment_is_told_with_a_way_out(versions):
    data_file(versions, "v1").unlink()
    done = versions.hnm("dataset", "verify", "--all")
    assert done.returncode == 1
    assert "equal triplets@v2" in done.stdout
    assert "damaged triplets@v1" in done.stdout
    assert "hnm dataset reproduce triplets@v1" in done.stderr
    read = versions.hnm("query", 'select * from "triplets@v1"')
    assert (read.returncode, "Traceback" in read.stderr) == (1, False)
    assert "hnm dataset verify triplets@v1" in read.stderr
    compared = versions.hnm("dataset", "diff", "v1", "v2")
    assert (compared.returncode, "hnm dataset verify triplets@v1" in compared.stderr) == (1, True)


def test_damage_of_the_current_version_is_mended_by_building_it_anew(versions):
    data_file(versions, "v2").unlink()
    assert "--full-refresh" in versions.hnm("dataset", "verify").stderr
    assert versions.run("triplets", full_refresh=True, per_pair=3, shift=1).ok
    assert outcome(versions, None).outcome == "equal"
    told = versions.hnm("dataset", "verify", "v2")  # the tag is still the damaged version's
    assert "hnm dataset tag v2 triplets@3 --force" in told.stderr
    assert versions.hnm("dataset", "tag", "v2", "triplets@3", "--force").returncode == 0
    assert outcome(versions, "v2").outcome == "equal"


def test_a_restored_version_is_what_the_stage_is(versions):
    before = find(versions.load().warehouse, "triplets", "v1")
    done = bring_back(versions, "v1")
    assert (done.version.lance_version, done.replaced.lance_version) == (1, 2)
    assert versions.rows("select count(*), max(negative_id) from triplets") == [(6, "n2")]
    assert find(versions.load().warehouse, "triplets").data_version == before.data_version
    assert versions.rows("select command, status from _hnm.runs order by started_at desc limit 1") == [
        ("dataset restore triplets@v1", "success")
    ]
    again = bring_back(versions, "v1")
    assert again.replaced.lance_version == 1


def test_what_a_run_makes_of_a_restored_version_is_said_and_true(versions):
    versions.edit("project.yml", "vars: {least: 2}", "vars: {per_pair: 3, shift: 1}")
    assert versions.outcomes()["triplets"] == "fresh"
    done = versions.hnm("dataset", "restore", "v1")
    assert "var per_pair 2 -> 3" in done.stderr
    assert "hnm run --select triplets+ --exclude triplets" in done.stderr
    assert versions.outcomes()["triplets"] == "built"
    assert find(versions.load().warehouse, "triplets").tags == ("v2",)


def test_what_is_built_from_a_restored_version_is_stale(versions):
    versions.stages(
        (versions.root / "pipelines/tiny.yml").read_text() + "  - name: report\n",
        report="select count(*) as rows from {{ ref('triplets') }}",
    )
    versions.run(per_pair=3, shift=1)
    bring_back(versions, "v1")
    assert versions.rows("select rows from report") == [(9,)]
    assert versions.outcomes("report") == {"report": "built"}
    assert versions.rows("select rows from report") == [(6,)]


def test_an_incremental_stage_forgets_what_it_consumed_for_another_version(versions):
    """Rows that changed in an input between v1 and now must not be taken for known."""
    text = (versions.root / "pipelines/tiny.yml").read_text()
    versions.stages(f"{text}    incremental: {{key: query_id, inputs: {{pairs: query_id}}}}\n")
    versions.run(full_refresh=True)
    tag_current(versions, "old")
    versions.write("data/judgments.csv", "query_id,doc_id,grade\nq1,d1,1\nq2,d9,1\nq3,n3,1\nq4,d4,1\n")
    versions.run()
    now = versions.rows("select * from triplets order by all")
    bring_back(versions, "old")
    assert versions.outcomes()["triplets"] == "built"
    assert versions.rows("select * from triplets order by all") == now


def tag_current(project, name):
    warehouse = project.load().warehouse
    tag(warehouse, find(warehouse, "triplets"), name)


def test_a_damaged_version_is_not_restored(versions):
    damage(versions, "v1")
    with pytest.raises(WarehouseError, match="damaged"):
        bring_back(versions, "v1")
    assert find(versions.load().warehouse, "triplets").tags == ("v2",)


@pytest.mark.parametrize("everything", [False, True])
def test_the_same_code_and_data_give_the_same_digest(versions, everything):
    """v2 was built with vars of the command line: the record has them."""
    for version in ("v1", "v2"):
        found = build_again(versions, version, everything=everything)
        assert found.equal, found
        assert not (versions.root / "target/reproduce-triplets").exists()
    assert find(versions.load().warehouse, "triplets").tags == ("v2",)


def test_what_is_no_longer_the_same_is_listed_and_nothing_is_built(versions):
    versions.edit("sql/triplets.sql", "1.0::float", "2.0::float")
    versions.edit("data/judgments.csv", "q1,d1", "q1,d5")
    done = versions.hnm("dataset", "reproduce", "v1")
    assert done.returncode == 1
    assert "triplets: the SQL changed" in done.stdout
    assert "shelf.judgments: file data/judgments.csv changed" in done.stdout
    assert not (versions.root / "target/reproduce-triplets").exists()


def test_a_stage_that_is_gone_cannot_be_built_again(versions):
    versions.stages("stages: [{name: pairs}]", pairs="select 1 as one")
    found = build_again(versions, "v1")
    assert found.differs["triplets"] == ("is no longer in the project",)


def test_python_stages_are_taken_as_published_or_built_on_demand(built):
    loaded = built.load()
    version = find(loaded.warehouse, "vectors")
    taken = reproduce(loaded, version, SilentListener())
    assert (taken.equal, taken.reused) == (True, ("word_counts",))
    whole = reproduce(loaded, version, SilentListener(), everything=True)
    assert (whole.equal, whole.reused) == (True, ())


def test_a_stage_that_draws_by_chance_comes_out_different(versions):
    versions.edit("sql/triplets.sql", "1.0::float as weight", "random()::float as weight")
    versions.run()
    found = build_again(versions, None)
    assert (found.equal, found.differs) == (False, {})
    assert found.folder.exists()


def test_gc_leaves_tagged_versions_and_takes_them_when_the_tag_is_gone(versions):
    versions.load().gc(dry_run=False)
    assert outcome(versions, "v1").outcome == "equal"
    untag(versions.load().warehouse, "triplets", "v1")
    versions.load().gc(dry_run=False)
    with pytest.raises(WarehouseError, match="was removed"):
        find(versions.load().warehouse, "triplets", "1")


@pytest.fixture
def trained(tmp_path):
    """Three versions of triplets; a model was trained on the first and one on the last."""
    project = write_triplet_project(tmp_path / "tiny")
    project.write(
        "training.py",
        '''
        """A model that counts."""
        from hnm.transform import Params, transform


        @transform(params=Params, inputs=("triplets",), produces="model")
        def train(inputs, params, context):
            """A file with the number of triplets."""
            import pyarrow as pa

            rows = sum(batch.num_rows for batch in inputs.sql("select query_id from triplets"))
            context.model_folder.mkdir(parents=True, exist_ok=True)
            (context.model_folder / "weights").write_text(str(rows))
            yield pa.record_batch({"step": [1]})
        ''',
    )
    stage = "  - {name: ranker, transform: training:train, materialized: model, inputs: {triplets: ref(triplets)}}\n"
    project.stages((project.root / "pipelines/tiny.yml").read_text() + stage)
    assert project.run().ok
    assert project.run("triplets", per_pair=3).ok
    assert project.run(per_pair=4).ok
    return project


def kept(project):
    known = versions_of(project.load().warehouse, "triplets")
    return [version.lance_version for version in known if version.here]


def test_what_a_model_that_stays_was_trained_on_stays_with_it(trained):
    trained.load().gc(keep=2, dry_run=False)
    assert kept(trained) == [3, 2, 1]
    assert len(list((trained.root / "data/warehouse/models/ranker").iterdir())) == 2
    refused = trained.hnm("dataset", "rm", "1")
    assert (refused.returncode, "still needed" in refused.stderr) == (1, True)
    trained.load().gc(dry_run=False)
    assert kept(trained) == [3]


def test_a_tagged_version_of_a_removed_stage_keeps_its_record(versions):
    versions.stages("stages: [{name: pairs}]", pairs="select 1 as one")
    versions.load().gc(removed_stages=True, dry_run=False)
    first = find(versions.load().warehouse, "triplets", "v1")
    assert (first.row_count, first.current) == (6, False)
    assert read_record(versions.load().warehouse, first).statistics["*"]["rows"] == 6


def test_nothing_is_restored_or_removed_during_a_run(versions):
    loaded = versions.load()
    with run_lock(loaded.warehouse.folder, "hnm run"):
        with pytest.raises(LockedError):
            bring_back(versions, "v1")
        tag_current(versions, "during")  # a name may be given at any time


def test_a_handle_from_before_reads_on(versions):
    handle = find(versions.load().warehouse, "triplets").open()
    versions.run(per_pair=5)
    assert handle.count_rows() == 9
    assert find(versions.load().warehouse, "triplets").row_count == 15


def test_two_runs_at_once_leave_one_state(versions):
    def attempt(per_pair):
        try:
            return versions.run(per_pair=per_pair).ok
        except HnmError as error:
            return type(error)

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(attempt, (4, 5)))
    assert True in ends
    assert set(ends) <= {True, LockedError}
    now = find(versions.load().warehouse, "triplets")
    assert outcome(versions, None).outcome == "equal"
    assert now.row_count in (12, 15)


def test_two_taggers_of_one_name_leave_one_tag(versions):
    loaded = versions.load()
    both = [find(loaded.warehouse, "triplets", version) for version in ("v1", "v2")]

    def attempt(version):
        try:
            tag(loaded.warehouse, version, "prod")
        except WarehouseError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert True in list(pool.map(attempt, both))
    named = lance.dataset(str(both[0].folder)).tags.list()["prod"]["version"]
    assert named in (1, 2)


def test_verify_for_programs(versions):
    (verdict,) = json.loads(versions.hnm("dataset", "verify", "v1", "--json").stdout)
    assert (verdict["outcome"], verdict["found"]) == ("equal", verdict["data_version"])
