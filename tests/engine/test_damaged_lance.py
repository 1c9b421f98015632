"""Lance tables that were deleted or damaged by hand: said so, and built again."""

import shutil
import signal
import subprocess
import sys

import lance
import pyarrow as pa
import pytest
from tiny_project import environment

from hnm.dataset.find import find
from hnm.errors import WarehouseError
from hnm.warehouse.lance_table import write_version


def lance_files(tiny, part):
    return sorted((tiny.root / "data/warehouse/lance/vectors.lance" / part).iterdir())


def assert_built_again(built):
    """The table counts as never built; what reads it stays fresh once it is there."""
    (entry,) = built.load().plan(["vectors"]).entries
    assert (entry.status, entry.reason) == ("run", "never built")
    outcomes = built.outcomes()
    assert (outcomes["vectors"], outcomes["report"]) == ("built", "fresh")
    assert built.rows("select count(*) from vectors") == [(4,)]


def test_a_deleted_lance_table_is_built_again_and_its_children_stay_fresh(built):
    shutil.rmtree(built.root / "data/warehouse/lance/vectors.lance")
    assert_built_again(built)


def test_a_transform_that_meets_a_damaged_table_says_which(built):
    built.edit(
        "pipelines/tiny.yml",
        "  - name: report",
        "  - {name: counted, transform: 'counting:count_words', inputs: {texts: ref(vectors)}}\n  - name: report",
    )
    built.edit("counting.py", "doc_id, text from", "doc_id, doc_id as text, vector from")
    lance_files(built, "data")[0].unlink()
    error = built.failure("counted")
    assert "--select vectors --full-refresh" in str(error.hint)
    assert error.where.path.name == "counting.py"


@pytest.mark.parametrize("damage", ["delete", "cut", "overwrite"])
def test_a_damaged_lance_table_fails_what_reads_it_in_words_and_can_be_rebuilt(built, damage):
    (file,) = lance_files(built, "data")
    content = file.read_bytes()
    if damage == "delete":
        file.unlink()
    else:
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"x" * len(content))
    built.write("sql/report.sql", "select count(distinct vector[1]) as n from {{ ref('vectors') }}")
    error = built.failure("report")
    assert "--select vectors --full-refresh" in str(error.hint)
    shown = built.hnm("query", "select vector from vectors")
    assert (shown.returncode, "Traceback" in shown.stderr) == (1, False), shown.stderr
    assert "--select vectors --full-refresh" in " ".join(shown.stderr.split())
    result = built.run("vectors", "report", full_refresh=True)
    assert result.ok, [str(stage.error) for stage in result.results if stage.error]
    assert built.rows("select n from report") == [(4,)]


def test_a_damaged_lance_table_can_be_rebuilt_with_other_rows(built):
    (file,) = lance_files(built, "data")
    file.write_bytes(b"x" * file.stat().st_size)
    built.edit("sql/vectors.sql", "words, 1", "words, 2")
    result = built.run("vectors", full_refresh=True)
    assert result.ok, [str(stage.error) for stage in result.results if stage.error]
    assert built.rows("select distinct vector[2] from vectors") == [(2,)]


def give_second(tiny, value):
    """Build the vectors with that number in second place; a new version of the table."""
    tiny.write(
        "sql/vectors.sql", f"select doc_id, [words, {value}]::float[2] as vector from {{{{ ref('word_counts') }}}}\n"
    )
    assert tiny.run("vectors").ok


def put_rows_of_another_version(tiny, number):
    """The data file of the version, which can be read, holds the rows of the first one."""
    first, other = (
        lance.dataset(str(tiny.root / "data/warehouse/lance/vectors.lance"), version=version) for version in (1, number)
    )
    (mine,), (theirs,) = (
        [tiny.root / "data/warehouse/lance/vectors.lance/data" / file.path for file in part.data_files()]
        for dataset in (first, other)
        for part in dataset.get_fragments()
    )
    shutil.copy(mine, theirs)


def test_a_lance_table_with_rows_of_another_version_is_rebuilt_by_a_full_refresh(built):
    give_second(built, 2)
    put_rows_of_another_version(built, 2)
    assert built.rows("select distinct vector[2] from vectors") == [(1,)]
    assert built.hnm("dataset", "verify", "vectors").returncode == 1
    assert built.run("vectors", full_refresh=True).ok
    assert built.rows("select distinct vector[2] from vectors") == [(2,)]
    assert built.hnm("dataset", "verify", "vectors").returncode == 0


def test_a_version_with_rows_of_another_one_is_not_taken_up_again(built):
    for value in (2, 3):
        give_second(built, value)
    put_rows_of_another_version(built, 2)
    give_second(built, 2)
    assert built.rows("select distinct vector[2] from vectors") == [(2,)]


def test_a_full_refresh_mends_columns_that_do_not_count_for_the_content(built):
    built.edit("pipelines/tiny.yml", "  - name: report", VECTORS_BY_TRANSFORM + "  - name: report")
    built.write("encoding.py", ENCODING)
    assert built.run("encoded").ok
    table = str(built.root / "data/warehouse/lance/encoded.lance")
    rows = lance.dataset(table).to_table()
    (file,) = (built.root / "data/warehouse/lance/encoded.lance/data").iterdir()
    zeros = pa.FixedSizeListArray.from_arrays(pa.array([0.0] * 8, pa.float32()), 2)
    lance.write_dataset(rows.set_column(1, rows.schema.field(1), zeros), str(built.root / "other.lance"))
    shutil.copy(next((built.root / "other.lance/data").iterdir()), file)
    assert built.rows("select distinct vector[1] from encoded") == [(0,)]
    assert built.run("encoded", full_refresh=True).ok
    assert built.rows("select distinct vector[1] from encoded") == [(1,)]


VECTORS_BY_TRANSFORM = """\
  - {name: encoded, materialized: lance, transform: 'encoding:encode', inputs: {texts: ref(documents)}}
"""
ENCODING = """
from hnm.transform import Params, transform


@transform(params=Params, inputs=("texts",), version_by=("doc_id",))
def encode(inputs, params, context):
    yield from inputs.sql("select doc_id, [1, 2]::float[2] as vector from texts")
"""


def harm_manifest(file, how):
    content = file.read_bytes()
    wrong = {
        "cut": content[: len(content) // 2],
        "overwritten": b"x" * len(content),
        "overwritten but for its end": b"x" * (len(content) - 16) + content[-16:],  # at which Lance panics
        "full of zeros": bytes(len(content)),
        "empty": b"",
    }
    file.write_bytes(wrong[how])


@pytest.mark.parametrize("how", ["cut", "overwritten", "overwritten but for its end", "full of zeros", "empty"])
def test_a_lance_table_whose_manifest_is_damaged_fails_what_reads_it_in_words_and_can_be_rebuilt(built, how):
    (file,) = (path for path in lance_files(built, "_versions") if path.suffix == ".manifest")
    harm_manifest(file, how)
    built.write("sql/report.sql", "select count(distinct vector[1]) as n from {{ ref('vectors') }}")
    assert "--select vectors --full-refresh" in str(built.failure("report").hint)
    shown = built.hnm("query", "select vector from vectors")
    assert (shown.returncode, "Traceback" in shown.stderr) == (1, False), shown.stderr
    result = built.run("vectors", "report", full_refresh=True)
    assert result.ok, [str(stage.error) for stage in result.results if stage.error]
    assert built.rows("select n from report") == [(4,)]


def manifests(tiny):
    """The manifest of each version, by number."""
    files = (path for path in lance_files(tiny, "_versions") if path.suffix == ".manifest")
    return {2**64 - 1 - int(file.stem): file for file in files}


def test_a_lance_table_whose_manifest_was_deleted_is_built_again(built):
    manifests(built)[1].unlink()
    shown = built.hnm("query", "select vector from vectors")
    assert (shown.returncode, "Traceback" in shown.stderr) == (1, False), shown.stderr
    assert "`hnm run --select vectors` builds it anew" in " ".join(shown.stderr.split())
    assert_built_again(built)


def test_versions_beside_one_whose_manifest_was_deleted_can_be_read(built):
    assert built.hnm("dataset", "tag", "v1", "vectors").returncode == 0
    give_second(built, 2)
    manifests(built)[2].unlink()
    assert built.rows('select distinct vector[2] from "vectors@v1"') == [(1,)]


KILLED = """
import os, signal
from hnm.engine import run
from hnm.cli.main import main

run.publish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
main()
"""


def killed_before_it_publishes(tiny, *arguments):
    """Run the command until the files of a stage are in place and the state does not name them yet."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], cwd=tiny.root, env=environment(), timeout=120, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("how", ["the table", "all manifests", "the newest manifest"])
def test_a_number_that_was_published_is_not_given_to_rows_that_were_not(built, how):
    """What remains was deleted by hand, and the run that builds it again is killed before it publishes."""
    give_second(built, 2)
    table = built.root / "data/warehouse/lance/vectors.lance"
    if how == "the newest manifest":
        manifests(built)[2].unlink()
    else:
        shutil.rmtree(table if how == "the table" else table / "_versions")
    built.edit("sql/vectors.sql", "words, 2", "words, 3")
    killed_before_it_publishes(built, "run", "--select", "vectors")
    built.edit("sql/vectors.sql", "words, 3", "words, 2")
    assert max(manifests(built)) == 3
    (entry,) = built.load().plan(["vectors"]).entries
    assert (entry.status, entry.reason) == ("run", "never built")
    outcomes = built.outcomes()
    assert (outcomes["vectors"], outcomes["report"]) == ("built", "built")
    assert built.rows("select distinct vector[2] from vectors") == [(2,)]
    assert built.load().state()["vectors"].lance_version == 4
    assert built.hnm("gc", "--yes").returncode == 0
    assert built.rows("select distinct vector[2] from vectors") == [(2,)]


def test_a_version_under_a_number_beyond_is_written_on_a_leftover_of_one_that_was_killed(tmp_path):
    table, rows = tmp_path / "x.lance", pa.table({"a": [1, 2, 3]})
    lance.write_dataset(rows.slice(1), str(table / "_new"))
    assert write_version(table, rows.to_reader(), published=7) == 8
    assert lance.dataset(str(table)).to_table() == rows
    assert [entry["version"] for entry in lance.dataset(str(table)).versions()] == [8]
    assert write_version(table, rows.slice(1).to_reader(), published=8) == 9
    assert lance.dataset(str(table), version=8).to_table() == rows


@pytest.mark.parametrize("damaged", ["v1", "v2"])
def test_versions_beside_a_damaged_one_stay_and_its_number_is_not_given_again(built, damaged):
    assert built.hnm("dataset", "tag", "v1", "vectors").returncode == 0
    built.edit("sql/vectors.sql", "words, 1", "words, 2")
    assert built.run("vectors").ok
    assert built.hnm("dataset", "tag", "v2", "vectors").returncode == 0
    first, second = (path for path in reversed(lance_files(built, "_versions")) if path.suffix == ".manifest")
    harm_manifest(first if damaged == "v1" else second, "overwritten")
    assert built.hnm("gc").returncode == 0
    built.edit("sql/vectors.sql", "words, 2", "words, 3")
    result = built.run("vectors", full_refresh=True)
    assert result.ok, [str(stage.error) for stage in result.results if stage.error]
    assert built.rows("select distinct vector[2] from vectors") == [(3,)]
    for tag, value in (("v1", 1), ("v2", 2)):
        shown = built.hnm("query", f'select distinct vector[2] as second from "vectors@{tag}"', "--format", "csv")
        assert "Traceback" not in shown.stderr
        if tag == damaged:
            assert (shown.returncode, shown.stdout) == (1, ""), shown.stdout
        else:
            assert (shown.returncode, shown.stdout.split()) == (0, ["second", str(value)]), shown.stderr
    listed = built.hnm("dataset", "log", "vectors")
    assert (listed.returncode, "Traceback" in listed.stderr) == (0, False), listed.stderr


@pytest.mark.parametrize(
    "place", ["lance", "lance/vectors.lance", "lance/vectors.lance/data", "lance/vectors.lance/_versions"]
)
def test_a_file_where_a_lance_table_has_a_folder_is_named(built, place):
    path = built.root / "data/warehouse" / place
    shutil.rmtree(path)
    path.write_text("x")
    result = built.run("vectors", full_refresh=True)
    (error,) = [stage.error for stage in result.results]
    assert (error.where.path, "move it away" in error.hint) == (path, True)
    assert "Traceback" not in built.hnm("gc", "--yes").stderr
    assert "Traceback" not in built.hnm("dataset", "verify", "--all").stderr
    path.unlink()
    assert built.run("vectors", full_refresh=True).ok
    assert built.rows("select distinct vector[2] from vectors") == [(1,)]


TAG_DAMAGE = {
    "empty": lambda refs: (refs / "tags/v1.json").write_bytes(b""),
    "no tag": lambda refs: (refs / "tags/v1.json").write_text("{}"),
    "garbage": lambda refs: (refs / "tags/v1.json").write_bytes(bytes(range(256))),
    "a folder": lambda refs: ((refs / "tags/v1.json").unlink(), (refs / "tags/v1.json").mkdir()),
    "no folder": lambda refs: (shutil.rmtree(refs), refs.write_text("x")),
}


@pytest.mark.parametrize("how", TAG_DAMAGE)
def test_a_damaged_tag_is_named_and_is_not_in_the_way_of_builds_and_of_other_garbage(built, how):
    assert built.hnm("dataset", "tag", "v1", "vectors").returncode == 0
    refs = built.root / "data/warehouse/lance/vectors.lance/_refs"
    TAG_DAMAGE[how](refs)
    give_second(built, 2)
    give_second(built, 1)
    assert built.rows("select distinct vector[2] from vectors") == [(1,)]
    shutil.copytree(built.root / "data/warehouse/lance/vectors.lance/data", built.root / "data/warehouse/work/gone")
    collected = built.hnm("gc", "--yes", "--removed-stages")
    assert (collected.returncode, "gone" in collected.stdout) == (0, True), collected.stderr
    assert sorted(manifests(built)) == [1, 2, 3]
    named = refs if how == "no folder" else refs / "tags/v1.json"
    with pytest.raises(WarehouseError) as refused:
        find(built.load().warehouse, "vectors")
    assert (refused.value.where.path, "`hnm dataset tag" in refused.value.hint) == (named, True)
    shutil.rmtree(named) if named.is_dir() else named.unlink()
    assert built.hnm("dataset", "tag", "v1", "vectors@1").returncode == 0
    assert built.rows('select distinct vector[2] from "vectors@v1"') == [(1,)]
    assert built.hnm("gc", "--yes").returncode == 0
    assert sorted(manifests(built)) == [1, 3]


@pytest.mark.parametrize(
    "command", ["list", "log vectors", "verify --all", "tag v2 vectors", "untag vectors@v1", "rm vectors@1"]
)
def test_commands_about_versions_name_a_damaged_tag(built, command):
    refs = built.root / "data/warehouse/lance/vectors.lance/_refs"
    built.write(str(refs / "tags/v1.json"), "{}")
    refused = built.hnm("dataset", *command.split())
    assert (refused.returncode, "Traceback" in refused.stderr) == (1, False), refused.stderr
    said = "".join(refused.stderr.split())
    assert (str(refs / "tags/v1.json") in said, "hnmdatasettagv1vectors@NUMBER" in said) == (True, True)


def test_records_of_a_removed_stage_stay_where_a_tag_of_it_is_damaged(built):
    assert built.hnm("dataset", "tag", "v1", "vectors").returncode == 0
    tag = built.root / "data/warehouse/lance/vectors.lance/_refs/tags/v1.json"
    content = tag.read_text()
    tag.write_text("")
    built.stages("stages: [{name: report}]", report="select 1 as documents")
    collected = built.hnm("gc", "--yes", "--removed-stages")
    assert collected.returncode == 0, collected.stderr
    tag.write_text(content)
    assert built.rows('select count(*) from "vectors@v1"') == [(4,)]
