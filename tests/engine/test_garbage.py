"""What `gc` finds and removes; above all, what it never touches."""

import random
import shutil

import lance
import pytest
from tiny_project import TinyProject

from hnm.engine.fingerprint import fingerprint
from hnm.engine.plan import complete
from hnm.errors import LockedError, ProjectError
from hnm.warehouse.lock import run_lock

PIPELINE = """
    stages:
      - name: vectors
        materialized: lance
      - name: report
"""
SQL = {
    "vectors": "select range::varchar as doc_id, [range, 1]::float[2] as vector from range({{ var('count', 3) }})",
    "report": "select count(*) as documents from {{ ref('vectors') }}",
}


@pytest.fixture(scope="module")
def small_once(tmp_path_factory):
    project = TinyProject.write_to(tmp_path_factory.mktemp("small") / "tiny")
    project.stages(PIPELINE, **SQL)
    assert project.run().ok
    return project.root


@pytest.fixture
def small(small_once, tmp_path):
    """Two stages, a Lance table and a table over it; the var `count` says how many rows there are."""
    return TinyProject(shutil.copytree(small_once, tmp_path / "tiny"))


def found(tiny, keep=1):
    return {(item.kind, item.stage): item for item in tiny.load().gc(keep).garbage}


def collect(tiny, keep=1, removed_stages=False):
    return tiny.load().gc(keep, removed_stages, dry_run=False)


def vectors(tiny):
    return tiny.root / "data/warehouse/lance/vectors.lance"


def lance_versions(tiny):
    return [entry["version"] for entry in lance.dataset(str(vectors(tiny))).versions()]


def write_unpublished(tiny):
    """What a kill leaves between writing a Lance version and publishing it."""
    lance.write_dataset(lance.dataset(str(vectors(tiny))).to_table().slice(0, 1), str(vectors(tiny)), mode="overwrite")


def contents(tiny):
    project = tiny.load()
    return {name: sorted(project.query(f"select * from {name}").to_pylist(), key=str) for name in project.state()}


def test_right_after_a_run_there_is_no_garbage(small):
    assert found(small) == {}
    assert collect(small).garbage == ()


def test_without_a_warehouse_there_is_none_either(tiny):
    assert found(tiny) == {}


def test_a_dry_run_removes_nothing(small):
    small.run(count=4)
    before = sorted(path for path in small.root.rglob("*") if path.is_file())
    (item,) = found(small).values()
    assert (item.kind, item.stage, item.what) == ("lance versions", "vectors", "version 1")
    assert item.size > 0
    assert sorted(path for path in small.root.rglob("*") if path.is_file()) == before


def test_old_lance_versions_go_and_the_current_one_stays(small):
    for count in (4, 5):
        small.run("vectors", count=count)
    small.run("report", count=5)
    before = contents(small)
    size = sum(path.stat().st_size for path in vectors(small).rglob("*") if path.is_file())
    (item,) = collect(small).garbage
    assert lance_versions(small) == [3]
    assert contents(small) == before
    assert size - sum(path.stat().st_size for path in vectors(small).rglob("*") if path.is_file()) >= item.size
    assert found(small) == {}


def test_the_newest_published_versions_can_be_kept(small):
    for count in (4, 5):
        small.run(count=count)
    collect(small, keep=3)
    assert lance_versions(small) == [1, 2, 3]
    collect(small, keep=2)
    assert lance_versions(small) == [2, 3]


def test_tagged_versions_stay(small):
    small.run(count=4)
    lance.dataset(str(vectors(small))).tags.create("v1", 1)
    small.run(count=5)
    collect(small)
    assert lance_versions(small) == [1, 3]
    assert lance.dataset(str(vectors(small)), version="v1").count_rows() == 3
    assert found(small) == {}


def test_a_tagged_dataset_of_a_removed_stage_stays_with_its_tag(small):
    lance.dataset(str(vectors(small))).tags.create("v1", 1)
    small.stages("stages: [{name: report}]", report="select 1 as documents")
    collect(small, removed_stages=True)
    assert set(small.load().state()) == {"report"}
    assert lance.dataset(str(vectors(small)), version="v1").count_rows() == 3


def test_versions_that_a_stale_stage_was_built_from_stay(small):
    small.run(count=4)
    small.run("vectors", count=5)  # the report still stands on the second version
    assert lance_versions(small) == [1, 2, 3]
    collect(small)
    assert lance_versions(small) == [2, 3]


def test_a_newer_version_that_was_never_published_goes(small):
    before = contents(small)
    write_unpublished(small)
    (item,) = found(small).values()
    assert item.what == "version 2"
    collect(small)
    assert 2 not in lance_versions(small)
    assert contents(small) == before
    assert found(small) == {}
    small.run(count=4)
    assert small.rows("select * from report") == [(4,)]


def test_files_of_a_write_that_was_killed_go(small):
    (vectors(small) / "data" / "half.lance").write_bytes(b"x" * 1000)
    (item,) = found(small).values()
    assert item.size == 1000
    collect(small)
    assert not (vectors(small) / "data" / "half.lance").exists()


def test_a_damaged_dataset_that_the_state_names_is_left_alone(small):
    shutil.rmtree(vectors(small) / "_versions")
    assert found(small) == {}


def test_a_dataset_that_no_stage_has_stays_where_a_tag_names_a_version_beside_a_damaged_one(small):
    orphan = small.root / "data/warehouse/lance/nobody.lance"
    shutil.copytree(vectors(small), orphan)
    lance.dataset(str(orphan)).tags.create("gold", 1)
    lance.write_dataset(lance.dataset(str(orphan)).to_table().slice(0, 1), str(orphan), mode="overwrite")
    newest = min((orphan / "_versions").glob("*.manifest"))  # Lance numbers backwards
    newest.write_bytes(b"x" * newest.stat().st_size)
    collect(small, removed_stages=True)
    assert lance.dataset(str(orphan), version=1).count_rows() == 3


def test_orphaned_datasets_models_and_work_go(small):
    warehouse = small.root / "data/warehouse"
    shutil.copytree(vectors(small), warehouse / "lance/nobody.lance")
    (warehouse / "lance/broken.lance/data").mkdir(parents=True)
    (warehouse / "models/old/abc").mkdir(parents=True)
    (warehouse / "models/old/abc/weights").write_text("x")
    (warehouse / "work/gone/state").mkdir(parents=True)
    (warehouse / "work/report").mkdir()
    (warehouse / "work/report/fingerprint").write_text("of another day")
    assert set(found(small)) == {
        ("lance table", "nobody"),
        ("lance table", "broken"),
        ("model", "old"),
        ("work", "gone"),
        ("work", "report"),
    }
    collect(small)
    assert found(small) == {}
    assert [path.name for path in (warehouse / "lance").iterdir()] == ["vectors.lance"]
    assert not (warehouse / "models/old").exists()
    assert small.run().ok


def test_files_and_links_where_a_folder_would_be_go(small):
    warehouse, others = small.root / "data/warehouse", small.root / "others"
    others.mkdir()
    (others / "kept").write_text("x")
    (warehouse / "lance/nobody.lance").write_bytes(b"x" * 7)
    (warehouse / "models/old").mkdir(parents=True)
    (warehouse / "models/old/abc").write_text("x")
    (warehouse / "models/old/linked").symlink_to(others)
    assert {kind for kind, _ in found(small)} == {"lance table", "model"}
    assert found(small)["lance table", "nobody"].size == 7
    collect(small)
    assert found(small) == {}
    assert (others / "kept").exists()


def test_interrupted_work_that_the_next_run_goes_on_with_stays(small):
    project = small.load(count=4)
    entry, _ = project.plan().entries
    marker = small.root / "data/warehouse/work/vectors/fingerprint"
    marker.parent.mkdir(parents=True)
    marker.write_text(fingerprint(complete(entry.node, entry.components, project.state())))
    assert project.gc().garbage == ()
    assert set(found(small)) == {("work", "vectors")}  # with another count it could not go on


def test_a_lance_table_that_became_a_table_leaves_garbage(small):
    small.stages(PIPELINE.replace("materialized: lance", "materialized: table"))
    assert small.run().ok
    before = contents(small)
    assert set(found(small)) == {("lance table", "vectors")}
    collect(small)
    assert found(small) == {}
    assert contents(small) == before


def test_removed_stages_are_dropped_only_when_asked_to(small):
    small.stages("stages: [{name: other}]", other="select 1 as x")
    small.run()
    collection = small.load().gc()
    assert collection.garbage == ()
    assert [stage.stage for stage in collection.removed_stages] == ["report", "vectors"]
    collect(small)
    assert small.rows("select * from report") == [(3,)]
    collect(small, removed_stages=True)
    assert set(small.load().state()) == {"other"}
    assert not vectors(small).exists()
    assert small.rows("select count(*) from information_schema.tables where table_name = 'report'") == [(0,)]
    assert small.load().gc().removed_stages == ()


def test_a_stage_that_was_renamed_in_case_alone_keeps_its_table(small):
    small.stages("stages: [{name: Report}, {name: vectors, materialized: lance}]", Report="select 7 as documents")
    small.run()
    collect(small, removed_stages=True)
    assert set(small.load().state()) == {"Report", "vectors"}
    assert small.rows("select * from Report") == [(7,)]


def test_what_a_killed_collection_left_goes_with_the_next_one(small):
    small.stages("stages: [{name: report}]", report="select 1 as documents")
    (stage,) = small.load().gc().removed_stages
    stage.remove()  # the row is gone, the files are still there
    assert set(small.load().state()) == {"report"}
    assert set(found(small)) == {("lance table", "vectors")}
    aside = small.root / "data/warehouse/work/removed 1"
    aside.parent.mkdir(exist_ok=True)
    vectors(small).rename(aside)  # and now they are on their way out
    assert set(found(small)) == {("work", "removed 1")}
    collect(small)
    assert not aside.exists()
    assert found(small) == {}


def test_a_stage_that_another_target_of_the_same_warehouse_has_is_not_removed(small):
    small.stages(PIPELINE + "        enabled: \"{{ var('least') == 3 }}\"\n")
    assert [stage.stage for stage in small.load().gc().removed_stages] == ["report"]
    small.edit("project.yml", "prod: {warehouse: data/prod,", "prod: {warehouse: data/warehouse,")
    assert small.load().gc().removed_stages == ()


def test_a_warehouse_among_the_files_of_another_is_refused(small):
    small.edit("project.yml", "warehouse: data/prod", "warehouse: data/warehouse/models/prod")
    with pytest.raises(ProjectError, match="lies among the files"):
        small.load().gc()


def test_remembered_inputs_and_kept_failures_of_stages_that_are_gone_go(small):
    with small.load().warehouse.database.writing() as connection:
        for schema in ("_hnm_inputs", "_hnm_failures"):
            connection.execute(f"create schema if not exists {schema}")
            for stage in ("gone", "report"):
                connection.execute(f'create table {schema}."{stage} something" as select 1 as x')
    assert {item.what for item in small.load().gc().garbage} == {
        '_hnm_inputs."gone something"',
        '_hnm_failures."gone something"',
        '_hnm_inputs."report something"',  # it is not incremental, so nothing of it is remembered
    }
    collect(small)
    left = small.rows("select table_name from information_schema.tables where starts_with(table_schema, '_hnm_')")
    assert left == [("report something",)]


def test_nothing_is_removed_while_a_run_goes_on(small):
    with run_lock(small.root / "data/warehouse", "hnm run"), pytest.raises(LockedError, match="another run"):
        collect(small)


def test_whatever_happened_before_the_state_survives(small):
    """Random changes, partial and failing runs, tags and collections: what is published reads the same afterwards."""
    chance = random.Random(7)
    tags, count = {}, 3
    for step in range(5):
        action = chance.choice(["grow", "shrink", "partial", "fail", "tag", "unpublished"])
        count = {"grow": count + 1, "shrink": 3, "partial": count + 1, "fail": count + 1}.get(action, count)
        if action in ("grow", "shrink"):
            small.run(count=count)
        elif action == "partial":
            small.run("vectors", count=count)
        elif action == "fail":
            small.write("sql/report.sql", SQL["report"] + " where error('broken')")
            assert not small.run(count=count).ok
            small.write("sql/report.sql", SQL["report"])
        elif action == "tag":
            version = small.load().state()["vectors"].lance_version
            tags[f"v{step}"] = len(small.rows("select * from vectors"))
            lance.dataset(str(vectors(small))).tags.create(f"v{step}", version)
        else:
            write_unpublished(small)
        before, state = contents(small), small.load().state()
        collect(small, keep=chance.randint(1, 3))
        assert contents(small) == before
        assert small.load().state() == state
        for tag, rows in tags.items():
            assert lance.dataset(str(vectors(small)), version=tag).count_rows() == rows
    assert small.run(count=count).ok
    assert set(small.outcomes(count=count).values()) == {"fresh"}
