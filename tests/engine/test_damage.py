"""What was deleted or damaged by hand, but for Lance tables: said so, and built again."""

import duckdb
import pytest


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
