"""Which version is meant, what it is called, and what is known of how it was made."""

import json
import subprocess

import lance
import pytest
from triplet_project import damage

from hnm.dataset.find import find, parse_reference, versions_of
from hnm.dataset.record import read_record
from hnm.dataset.tags import tag, untag
from hnm.errors import WarehouseError
from hnm.warehouse.lance_versions import find_old_versions


def warehouse(project):
    return project.load().warehouse


def record_of(project, version):
    return read_record(warehouse(project), find(warehouse(project), "triplets", version))


@pytest.mark.parametrize(
    "text, meant",
    [
        ("triplets@v1", ("triplets", "v1")),
        ("vectors@3", ("vectors", "3")),
        ("vectors", ("vectors", None)),
        ("v1", ("triplets", "v1")),
        ("@v1", ("triplets", "v1")),
        ("vectors@", ("vectors", None)),
    ],
)
def test_references(text, meant):
    assert parse_reference(text, ["vectors"]) == meant


def test_a_version_is_found_by_tag_number_digest_and_as_the_current_one(versions):
    first = find(warehouse(versions), "triplets", "v1")
    assert (first.lance_version, first.tags, first.row_count, first.current) == (1, ("v1",), 6, False)
    assert find(warehouse(versions), "triplets", "1") == first
    assert find(warehouse(versions), "triplets", first.data_version[:6]) == first
    assert first.open().count_rows() == 6
    now = find(warehouse(versions), "triplets")
    assert (now.lance_version, now.current, now.inserted, now.changed, now.deleted) == (2, True, 9, 0, 6)


@pytest.mark.parametrize(
    "stage, version, what, hint",
    [
        ("triplets", "v11", "triplets has no version 'v11'", "did you mean 'v1'?"),
        ("triplets", "99", "triplets has no version '99'", "hnm dataset log triplets"),
        ("triplet", None, "no versions of 'triplet'", "did you mean 'triplets'?"),
        ("pairs", None, "pairs keeps no versions", "these keep versions: triplets"),
    ],
)
def test_what_is_not_there_is_said_with_what_is_near(versions, stage, version, what, hint):
    with pytest.raises(WarehouseError) as caught:
        find(warehouse(versions), stage, version)
    assert what in caught.value.what
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "reference, what, why, hint",
    [
        (
            "triplet",
            "no stage and no version 'triplet'",
            "these stages keep versions: triplets; tags of triplets: v1, v2",
            "'triplets'?",
        ),
        ("vectors", "no stage and no version 'vectors'", "these stages keep versions: triplets", "hnm dataset list"),
        ("v3", "no stage and no version 'v3'", "tags of triplets: v1, v2", "'v2'?"),
        ("pairs", "pairs keeps no versions", "it is a table", "these keep versions: triplets"),
        ("triplet@v1", "no versions of 'triplet'", "nothing of that name was built", "'triplets'?"),
    ],
)
def test_a_word_that_is_neither_stage_nor_version_is_told_with_what_there_is(versions, reference, what, why, hint):
    for command in (["export", reference, "out"], ["show", reference], ["diff", "v1", reference]):
        done = versions.hnm("dataset", *command)
        assert (done.returncode, done.stdout) == (1, "")
        for words in (what, why, hint):
            assert words in done.stderr, (command, done.stderr)


def test_a_word_that_is_no_stage_is_not_taken_for_triplets_where_there_are_none(built):
    done = built.hnm("dataset", "export", "vectrs", "out")
    assert "there is no stage and no version 'vectrs'" in done.stderr
    assert "these stages keep versions: vectors" in done.stderr
    assert "did you mean 'vectors'?" in done.stderr
    assert "triplets" not in done.stderr


def test_a_stage_that_is_not_built_yet_is_not_mistaken_for_one_that_is(versions):
    versions.write("pipelines/more.yml", "stages: [{name: triplets2, materialized: lance}]\n")
    versions.write("sql/triplets2.sql", "from {{ ref('triplets') }}")
    done = versions.hnm("dataset", "export", "triplets2", "out")
    assert "triplets2 was never built" in done.stderr
    assert "hnm run --select +triplets2" in done.stderr


def test_nothing_is_built_yet(tiny):
    with pytest.raises(WarehouseError, match="nothing is built yet"):
        find(tiny.load().warehouse, "vectors")


def test_equal_content_makes_no_version(versions):
    versions.edit("sql/triplets.sql", "'text of ' || query_id", "concat('text of ', query_id)")
    assert versions.outcomes(per_pair=3, shift=1)["triplets"] == "built"
    assert [version.lance_version for version in versions_of(warehouse(versions), "triplets")] == [2, 1]


def test_content_that_comes_back_is_the_version_that_it_was(versions):
    versions.run()  # the vars of v1 again
    now = find(warehouse(versions), "triplets")
    assert (now.lance_version, now.tags) == (1, ("v1",))
    assert lance.dataset(str(now.folder)).version == 2


def test_content_that_comes_back_is_written_anew_where_the_old_rows_are_damaged(versions):
    damage(versions, "v1")
    versions.run()
    now = find(warehouse(versions), "triplets")
    assert now.lance_version == 3
    assert now.open().to_table().num_rows == 6


def test_a_tag_names_one_version(versions):
    first = find(warehouse(versions), "triplets", "v1")
    tag(warehouse(versions), first, "prod")
    tag(warehouse(versions), first, "prod")  # again changes nothing
    assert find(warehouse(versions), "triplets", "prod").tags == ("prod", "v1")
    assert [find(warehouse(versions), "triplets", name).name for name in ("v1", "prod", "1")] == [
        "triplets@v1", "triplets@prod", "triplets@prod",
    ]  # fmt: skip
    second = find(warehouse(versions), "triplets", "v2")
    with pytest.raises(WarehouseError, match="triplets@prod is version 1 already"):
        tag(warehouse(versions), second, "prod")
    tag(warehouse(versions), second, "prod", move=True)
    assert find(warehouse(versions), "triplets", "prod").lance_version == 2
    assert untag(warehouse(versions), "triplets", "prod").lance_version == 2
    with pytest.raises(WarehouseError, match="no tag 'prod'"):
        untag(warehouse(versions), "triplets", "prod")


@pytest.mark.parametrize("name", ["1", "", "a b", "a..b", "a.", "../v1", "v1/x", "v@1", "triplets", "ä", "a" * 101])
def test_what_cannot_be_a_tag(versions, name):
    with pytest.raises(WarehouseError, match="cannot be a tag"):
        tag(warehouse(versions), find(warehouse(versions), "triplets"), name)


@pytest.mark.parametrize("name", ["v1.0", "2026-01-31", "prod_2", "A-b"])
def test_what_can_be_a_tag(versions, name):
    tag(warehouse(versions), find(warehouse(versions), "triplets"), name)
    assert find(warehouse(versions), "triplets", name).current


def test_a_tag_never_points_to_nothing(versions):
    """The version goes after it was found and before it is tagged."""
    first = find(warehouse(versions), "triplets", "v1")
    untag(warehouse(versions), "triplets", "v1")
    versions.load().gc(dry_run=False)
    with pytest.raises(WarehouseError, match="cannot be tagged"):
        tag(warehouse(versions), first, "late")
    assert "late" not in lance.dataset(str(first.folder)).tags.list()


def test_the_record_says_what_made_a_version(versions):
    first, second = record_of(versions, "v1"), record_of(versions, "v2")
    assert [entry.stage for entry in first.ancestry] == ["pairs", "shelf.judgments"]
    assert all(entry.fingerprint and entry.row_count == 3 for entry in first.ancestry)
    assert "file data/judgments.csv" in first.ancestry[1].components
    assert second.components["var per_pair"] == "3"
    assert second.packages["duckdb"]
    assert set(second.author) == {"user", "host"}
    assert second.statistics["*"]["rows"] == 9
    assert second.statistics["random"]["per_positive"] == 2
    assert second.statistics["*"]["inversion_rate"] == pytest.approx(1 / 3)


def test_the_record_stays_that_of_the_first_build(versions):
    before = record_of(versions, "v2")
    versions.edit("sql/triplets.sql", "'text of ' || query_id", "concat('text of ', query_id)")
    versions.run(per_pair=3, shift=1)
    assert record_of(versions, "v2") == before


def test_sql_reads_records(versions):
    rows = versions.rows("select lance_version, components->>'var per_pair' from _hnm.dataset_records order by 1")
    assert rows == [(1, "2"), (2, "3")]


def test_ancestors_are_those_that_were_read_not_those_of_today(versions):
    """`pairs` is built anew alone; then triplets of the old content are asked what they came from."""
    old = record_of(versions, "v2").ancestry[0]
    versions.write("data/judgments.csv", "query_id,doc_id,grade\nq1,d1,1\n")
    versions.run("shelf.judgments")
    versions.edit("sql/triplets.sql", "1.0::float", "2.0::float")
    versions.run("triplets", per_pair=3, shift=1)
    pairs, source = record_of(versions, None).ancestry
    assert pairs == old
    assert source.row_count == 3
    assert source.components["file data/judgments.csv"]


def test_commit_and_uncommitted_changes_are_recorded(versions):
    def git(*arguments):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        subprocess.run(command, cwd=versions.root, check=True, capture_output=True)

    git("init", "-b", "trunk")
    versions.write(".gitignore", "data/warehouse\ntarget\n__pycache__\n")
    git("add", ".")
    git("commit", "-m", "all")
    versions.run(per_pair=4)
    code = record_of(versions, None).code
    assert (len(code["commit"]), code["branch"], code["dirty"]) == (40, "trunk", False)
    versions.edit("sql/triplets.sql", "1.0::float", "2.0::float")
    versions.run(per_pair=4)
    assert record_of(versions, None).code["dirty"] is True


def test_without_git_nothing_is_said_of_it(versions):
    assert record_of(versions, "v1").code == {}


def test_a_version_from_before_records_were_kept(versions):
    with warehouse(versions).database.writing() as connection:
        connection.execute("drop table _hnm.dataset_records")
    assert record_of(versions, "v1") is None
    shown = versions.hnm("dataset", "show", "v1")
    assert (shown.returncode, "before records were kept" in shown.stderr) == (0, True)
    assert versions.hnm("dataset", "verify", "v1").returncode == 0
    assert "is not known" in versions.hnm("dataset", "diff", "v1", "v2").stdout


def test_queries_read_any_version(versions):
    counts = versions.rows('select (select count(*) from "triplets@v1"), (select count(*) from "triplets@2")')
    assert counts == [(6, 9)]
    assert versions.rows("""select '"me@example.org"' || ' it''s "triplets@v9"'""") == [
        ('"me@example.org" it\'s "triplets@v9"',)
    ]
    with pytest.raises(WarehouseError, match="no version 'v9'"):
        versions.rows('select * from "triplets@v9"')


def test_what_differs_is_a_table_in_sql(versions):
    count = 'select kind, count(*) from "triplets@{}" group by kind order by kind'
    expected = [("added", 6), ("moved", 3), ("positive_to_negative", 1), ("removed", 3)]
    assert versions.rows(count.format("v1..v2")) == versions.rows(count.format("1..")) == expected
    assert versions.rows(count.format("v2..v2")) == []
    twice = 'select count(*) from "triplets@v1..v2" a join "triplets@v1..v2" b using (kind, query_id)'
    assert versions.rows(twice) == [(6 * 2 + 3 + 1 + 3,)]
    with pytest.raises(WarehouseError, match="has no version 'v9'"):
        versions.rows(count.format("v1..v9"))


def test_what_differs_is_compared_within_the_projects_memory_limit(versions):
    sql = 'select count(*) from "triplets@v1..v2"'
    versions.edit("project.yml", "memory_limit: 500MB", "memory_limit: 1MB")
    for arguments in (["query", sql], ["dataset", "diff", "v1", "v2"]):
        done = versions.hnm(*arguments)
        assert (done.returncode, "raise `memory_limit`" in done.stderr) == (1, True), done.stderr


def test_the_commands(versions):
    listed = versions.hnm("dataset", "list")
    assert (listed.returncode, "triplets" in listed.stdout, "v2, v1" in listed.stdout) == (0, True, True)
    log = json.loads(versions.hnm("dataset", "log", "--json").stdout)
    assert [(row["lance_version"], row["tags"], row["current"]) for row in log] == [
        (2, ["v2"], True),
        (1, ["v1"], False),
    ]
    shown = versions.hnm("dataset", "show", "triplets@v1")
    assert "└── pairs" in shown.stdout
    assert "inversion rate" in shown.stdout
    record = json.loads(versions.hnm("dataset", "show", "v1", "--json").stdout)["record"]
    assert record["ancestry"][0]["stage"] == "pairs"
    assert versions.hnm("dataset", "tag", "gold", "triplets@1").returncode == 0
    assert versions.hnm("dataset", "untag", "gold").returncode == 0
    bad = versions.hnm("dataset", "show", "triplets@v9")
    assert (bad.returncode, bad.stdout, "has no version 'v9'" in bad.stderr) == (1, "", True)
    assert versions.hnm("dataset").returncode == 2


def test_rm_removes_what_nothing_needs(versions):
    for name, why in (("v1", "is tagged"), ("v2", "is tagged")):
        done = versions.hnm("dataset", "rm", name)
        assert (done.returncode, why in done.stderr) == (1, True)
    untag(warehouse(versions), "triplets", "v2")
    assert "is the current version" in versions.hnm("dataset", "rm", "2").stderr
    untag(warehouse(versions), "triplets", "v1")
    assert versions.hnm("dataset", "rm", "1").returncode == 0
    assert "was removed" in versions.hnm("dataset", "verify", "triplets@1").stderr
    shown = versions.hnm("dataset", "show", "triplets@1")  # its record stays
    assert (shown.returncode, "removed" in shown.stdout, "└── pairs" in shown.stdout) == (0, True, True), shown.stderr
    assert json.loads(versions.hnm("dataset", "show", "1", "--json").stdout)["record"]["row_count"] == 6
    assert versions.rows("select count(*) from triplets") == [(9,)]


def test_rm_of_the_newest_version_on_disk(versions):
    untag(warehouse(versions), "triplets", "v2")
    versions.hnm("dataset", "restore", "v1")
    assert versions.hnm("dataset", "rm", "2").returncode == 0
    assert versions.rows("select count(*) from triplets") == [(6,)]
    assert find_old_versions(find(warehouse(versions), "triplets").folder, {1}, 1).versions == ()
