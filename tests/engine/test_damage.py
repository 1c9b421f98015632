"""What was deleted or damaged by hand: said so, and built again."""

import shutil

import duckdb
import pytest


def lance_files(tiny, part):
    return sorted((tiny.root / "data/warehouse/lance/vectors.lance" / part).iterdir())


def test_a_deleted_lance_table_is_built_again_and_its_children_stay_fresh(built):
    shutil.rmtree(built.root / "data/warehouse/lance/vectors.lance")
    (entry,) = built.load().plan(["vectors"]).entries
    assert (entry.status, entry.reason) == ("run", "never built")
    outcomes = built.outcomes()
    assert (outcomes["vectors"], outcomes["report"]) == ("built", "fresh")
    assert built.rows("select count(*) from vectors") == [(4,)]


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


@pytest.mark.parametrize(
    "how", ["cut", "overwritten", "overwritten but for its end", "full of zeros", "empty", "deleted"]
)
def test_a_lance_table_whose_manifest_is_damaged_fails_what_reads_it_in_words_and_can_be_rebuilt(built, how):
    (file,) = (path for path in lance_files(built, "_versions") if path.suffix == ".manifest")
    file.unlink() if how == "deleted" else harm_manifest(file, how)
    built.write("sql/report.sql", "select count(distinct vector[1]) as n from {{ ref('vectors') }}")
    assert "--select vectors --full-refresh" in str(built.failure("report").hint)
    shown = built.hnm("query", "select vector from vectors")
    assert (shown.returncode, "Traceback" in shown.stderr) == (1, False), shown.stderr
    result = built.run("vectors", "report", full_refresh=True)
    assert result.ok, [str(stage.error) for stage in result.results if stage.error]
    assert built.rows("select n from report") == [(4,)]


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


def test_a_deleted_table_is_built_again(built):
    with built.load().warehouse.database.writing() as connection:
        connection.execute("drop table word_counts")
    outcomes = built.outcomes()
    assert (outcomes["word_counts"], outcomes["long_documents"]) == ("built", "fresh")


def test_a_deleted_sql_file_is_an_error_of_the_project(built):
    (built.root / "sql/report.sql").unlink()
    refused = built.hnm("run")
    assert refused.returncode == 1
    assert "sql/report.sql" in refused.stderr
    assert "pipelines/tiny.yml:" in refused.stderr


def test_a_stage_that_was_taken_out_leaves_the_others_fresh_and_is_offered_for_collection(built):
    built.edit("pipelines/tiny.yml", "  - name: report\n", "")
    (built.root / "sql/report.sql").unlink()
    assert set(built.outcomes().values()) == {"fresh"}
    collection = built.load().gc()
    assert [found.stage for found in collection.removed_stages] == ["report"]


def test_a_deleted_source_file_is_said_so_and_the_tables_stay(built):
    (built.root / "data/corpus.csv").unlink()
    refused = built.hnm("run")
    assert (refused.returncode, "Traceback" in refused.stderr) == (1, False)
    assert "data/corpus.csv" in refused.stderr
    assert built.rows("select count(*) from documents") == [(4,)]


def test_a_deleted_database_starts_over(built):
    (built.root / "data/warehouse/hnm.duckdb").unlink()
    assert set(built.outcomes().values()) == {"built"}
    assert set(built.outcomes().values()) == {"fresh"}


def cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])


def overwrite(file):
    content = file.read_bytes()
    third = len(content) // 3
    file.write_bytes(content[: 2 * third] + b"x" * (len(content) - 2 * third))


@pytest.mark.parametrize("damage", [cut, overwrite])
def test_a_database_whose_damage_shows_only_when_it_is_read_is_told_like_one_that_cannot_be_opened(built, damage):
    file = built.root / "data/warehouse/hnm.duckdb"
    damage(file)
    duckdb.connect(file, read_only=True).close()
    for command in (["plan"], ["run"], ["retry"], ["gc"], ["dataset", "list"], ["query", "select 1"]):
        done = built.hnm(*command)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
        assert f"cannot read {file}" in done.stderr.replace("\n", "")
        assert "move it away" in done.stderr
    file.rename(file.with_suffix(".old"))
    assert set(built.outcomes().values()) == {"built"}


def damage_rows_of_documents(built):
    """So many rows that they have blocks of their own, one of which is damaged; the state stays whole."""
    corpus = built.root / "data/corpus.csv"
    corpus.write_text(corpus.read_text() + "".join(f"e{n},t,word{n * 7919} word{n}\n" for n in range(60_000)))
    assert built.run("shelf.corpus", "documents").ok
    file = built.root / "data/warehouse/hnm.duckdb"
    content = file.read_bytes()
    middle = len(content) // 2
    file.write_bytes(content[:middle] + b"x" * 300_000 + content[middle + 300_000 :])


def test_a_damaged_table_of_the_database_is_told_by_what_reads_it(built):
    damage_rows_of_documents(built)
    orders = (["query", "from documents order by text"], ["query", "from documents"], ["run", "-s", "word_counts"])
    for command in orders:
        done = built.hnm(*command)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
        assert "move it away" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b""])
def test_a_damaged_note_about_an_interrupted_build_does_no_harm(built, content):
    folder = built.root / "data/warehouse/work/report"
    (folder / "state").mkdir(parents=True)
    (folder / "fingerprint").write_bytes(content)
    (folder / "state" / "half").write_text("of what, nobody knows")
    (garbage,) = built.load().gc().garbage
    assert (garbage.kind, garbage.stage) == ("work", "report")
    built.edit("sql/report.sql", "count(*)", "1 + count(*)")
    assert built.outcomes("report") == {"report": "built"}
    assert not folder.exists()
