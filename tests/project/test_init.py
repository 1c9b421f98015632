"""New projects: what is written, and what is left alone."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from tiny_project import HNM, environment

from hnm.api import Project
from hnm.errors import HnmError, ProjectError, SourceError
from hnm.project.init import init_project, parse_source

LOG = "session_id,query_id,doc_id,position,clicked\ns,q1,d1,1,true\n"


@pytest.fixture
def collection(tmp_path):
    """A folder in BEIR's form."""
    folder = tmp_path / "collection"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(json.dumps({"_id": "d1", "title": "t", "text": "x"}) + "\n")
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q1", "text": "x"}) + "\n")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    return folder


@pytest.fixture
def files(tmp_path):
    """A folder of CSV files."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "corpus.csv").write_text("doc_id,title,text\nd1,t,x\n")
    (folder / "queries.csv").write_text("query_id,text\nq1,x\n")
    (folder / "judgments.csv").write_text("query_id,doc_id,grade\nq1,d1,1\n")
    return folder


def made(folder, source=None, clicks=None, name=None):
    path = init_project(folder, parse_source(source, clicks), name)
    assert path == folder / "project.yml"
    return Project.load(folder)


def test_without_a_source_it_is_the_example(tmp_path):
    project = made(tmp_path / "mine")
    assert project.manifest.config.name == "mine"
    assert project.manifest.config.vars["positives_from"] == "clicks"
    example = Path(__file__).parents[2]
    for path in (example / "pipelines").rglob("*.yml"):
        assert (tmp_path / "mine" / path.relative_to(example)).read_text() == path.read_text()


def test_a_beir_folder_gives_positives_from_judgments(tmp_path, collection):
    project = made(tmp_path / "mine", f"beir:{collection}")
    assert project.manifest.config.vars["positives_from"] == "judgments"
    assert {"collection.corpus", "collection.queries", "collection.judgments"} <= project.manifest.nodes.keys()
    assert "click_evidence" not in project.manifest.nodes
    assert project.plan(["+corpus"]).entries


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz", "log.tsv", "log.jsonl", "log.parquet"])
def test_a_click_log_gives_positives_from_clicks(tmp_path, collection, name):
    (tmp_path / name).write_text(LOG)
    project = made(tmp_path / "mine", f"beir:{collection}", tmp_path / name)
    assert project.manifest.config.vars["positives_from"] == "clicks"
    assert {"clicks.impressions", "impressions", "click_evidence"} <= project.manifest.nodes.keys()


def test_triplets_from_elsewhere_bring_their_collection(tmp_path):
    theirs = tmp_path / "theirs.jsonl"
    theirs.write_text(json.dumps({"query": "q", "pos": ["good"], "neg": ["bad"]}) + "\n")
    project = made(tmp_path / "mine", f"triplets:{theirs}")
    assert project.manifest.config.vars["positives_from"] == "judgments"
    assert project.run(project.plan(["+texts", "+judgments"])).ok
    assert sorted(row["text"] for row in project.query("select text from texts").to_pylist()) == ["bad", "good", "q"]
    assert project.query("select grade from judgments").num_rows == 1


def test_a_folder_of_files(tmp_path, files):
    assert "clicks.impressions" not in made(tmp_path / "one", f"files:{files}").manifest.nodes
    (files / "impressions.csv").write_text(LOG)
    assert "clicks.impressions" in made(tmp_path / "two", f"files:{files}").manifest.nodes


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ('d1\tone\t"The Office" cast\nd2\ttwo\t"open\n', {"delimiter": "\t", "quote": ""}),
        ('d1\tone\t"said ""so"""\nd2\ttwo\tplain\n', {"delimiter": "\t"}),
        ('d1\tone\t"two\nlines"\nd2\ttwo\tplain\n', {"delimiter": "\t"}),
    ],
)
def test_quotes_in_tab_separated_files_are_characters_where_they_quote_nothing(tmp_path, files, text, options):
    (files / "corpus.csv").unlink()
    (files / "corpus.tsv").write_text("doc_id\ttitle\ttext\n" + text)
    project = made(tmp_path / "mine", f"files:{files}")
    declared = yaml.safe_load((tmp_path / "mine/pipelines/sources.yml").read_text(encoding="utf-8"))
    (corpus,) = [tables["corpus"] for source in declared["sources"] if "corpus" in (tables := source.get("tables", {}))]
    assert corpus == {"path": str(files / "corpus.tsv")} | options
    assert project.run(project.plan(["collection.corpus"])).ok
    assert project.query("select count(*) as n from collection.corpus").to_pylist() == [{"n": 2}]


def test_a_copy_beside_a_table_is_not_the_table(tmp_path, files):
    (files / "corpus.bak.csv").write_text("doc_id,title,text\nold,t,x\n")
    made(tmp_path / "mine", f"files:{files}")
    declared = yaml.safe_load((tmp_path / "mine/pipelines/sources.yml").read_text(encoding="utf-8"))
    assert declared["sources"][0]["tables"]["corpus"]["path"] == str(files / "corpus.csv")
    (files / "corpus.csv.gz").touch()
    with pytest.raises(SourceError, match=r"holds corpus\.csv and corpus\.csv\.gz"):
        made(tmp_path / "other", f"files:{files}")
    with pytest.raises(SourceError, match="a file stands where a folder is wanted"):
        made(tmp_path / "other", f"files:{files / 'corpus.csv'}")


@pytest.mark.parametrize("odd", ["a: b", "with 'quotes' and \"more\"", "back\\1slash", "# hash", "ünï [x]"])
def test_odd_names_of_folders(tmp_path, collection, odd):
    place = collection.rename(tmp_path / odd)
    project = made(tmp_path / "mine", f"beir:{place}")
    assert odd in project.manifest.config.description
    declared = yaml.safe_load((tmp_path / "mine/pipelines/sources.yml").read_text(encoding="utf-8"))
    assert declared["sources"][0]["options"]["path"] == str(place)
    assert project.plan(["collection.corpus"]).entries


@pytest.mark.parametrize(
    ("folder", "name", "expected"),
    [("my-data set", None, "my_data_set"), ("mine", "other", "other"), ("---", None, "project")],
)
def test_the_name_of_the_project(tmp_path, folder, name, expected):
    assert made(tmp_path / folder, name=name).manifest.config.name == expected


def test_what_stands_in_the_folder_stays(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ".gitignore").write_text("*.log\n.env")  # without an end of its last line
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    made(tmp_path / "mine")
    lines = (tmp_path / "mine" / ".gitignore").read_text().splitlines()
    assert lines == ["*.log", ".env", "target/", "data/warehouse/"]
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"


@pytest.mark.parametrize("taken", ["project.yml", "pipelines", "sql"])
def test_a_folder_that_is_taken_is_refused(tmp_path, taken):
    (tmp_path / "mine" / taken).mkdir(parents=True)
    with pytest.raises(ProjectError, match=f"already holds {taken}"):
        made(tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [taken]


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("bier:x", ProjectError, "'bier'"),
        ("beir", ProjectError, "needs a path"),
        ("beir:", ProjectError, "needs a path"),
        ("api_reference:x", ProjectError, "takes no path"),
        ("beir:/no/such/place", SourceError, "does not exist"),
        ("beir:EMPTY", SourceError, "corpus.jsonl"),
        ("files:EMPTY", SourceError, "no file for corpus, queries, judgments"),
    ],
)
def test_sources_that_cannot_be(tmp_path, source, kind, words):
    (tmp_path / "empty").mkdir()
    with pytest.raises(kind, match=words):
        made(tmp_path / "mine", source.replace("EMPTY", str(tmp_path / "empty")))
    assert not (tmp_path / "mine").exists()


def test_a_folder_that_the_system_refuses(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="cannot be made") as refused:
        init_project(tmp_path / "file" / "project", parse_source(None, None))
    assert refused.value.why == "Not a directory"


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "mine").write_text("")
    with pytest.raises(ProjectError, match="is a file"):
        made(tmp_path / "mine")


def test_clicks_belong_to_a_collection(tmp_path):
    (tmp_path / "log.csv").write_text(LOG)
    with pytest.raises(HnmError, match="--clicks"):
        made(tmp_path / "mine", None, tmp_path / "log.csv")


def test_a_click_log_that_is_not_there_is_told_apart_from_the_collection(tmp_path, collection):
    with pytest.raises(SourceError, match=r"log\.csv does not exist") as caught:
        made(tmp_path / "mine", f"beir:{collection}", tmp_path / "log.csv")
    assert str(caught.value.where) == "--clicks"
    assert caught.value.hint
    with pytest.raises(SourceError, match="nowhere does not exist") as caught:
        made(tmp_path / "mine", f"beir:{tmp_path / 'nowhere'}", tmp_path / "log.csv")
    assert str(caught.value.where) == "--source"
    (tmp_path / "nowhere{{x").mkdir()
    with pytest.raises(SourceError, match="would be read as a template"):
        made(tmp_path / "mine", f"beir:{tmp_path / 'nowhere{{x'}")


def test_a_name_that_is_none(tmp_path):
    with pytest.raises(ProjectError, match="no project name"):
        made(tmp_path / "mine", name="1 2")


def test_the_command(tmp_path, collection):
    run = subprocess.run(
        [HNM, "init", "mine", "--source", f"beir:{collection}"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout) == (0, "")
    assert "next: cd mine && hnm run" in run.stderr
    assert Project.load(tmp_path / "mine").manifest.config.name == "mine"


def test_clicks_without_judgments_judge_the_test_queries_too(tmp_path, files):
    (files / "judgments.csv").unlink()
    queries = [f"q{n:03}" for n in range(60)]
    (files / "corpus.csv").write_text("doc_id,title,text\n" + "".join(f"d{n:03},t,text {n}\n" for n in range(60)))
    (files / "queries.csv").write_text("query_id,text\n" + "".join(f"{query},ask {query}\n" for query in queries))
    rows = [f"s{s},{query},d{query[1:]},1,true\n" for query in queries for s in range(9)]
    (files / "impressions.csv").write_text("session_id,query_id,doc_id,position,clicked\n" + "".join(rows))
    project = made(tmp_path / "mine", f"files:{files}")
    assert "unknown_judgments" not in project.manifest.nodes
    result = project.run(project.plan(["+positives", "+evaluation_judgments"]))
    assert result.ok, [str(stage.error) for stage in result.results if stage.error]
    splits = project.query("select distinct split from queries order by split").to_pylist()
    assert splits == [{"split": "dev"}, {"split": "test"}, {"split": "train"}]
    tested = project.query("select * from evaluation_judgments").to_pylist()
    assert tested
    assert all(row["doc_id"] == "d" + row["query_id"][1:] and row["grade"] == 1 for row in tested)
    both = "select count(*) as n from positives join evaluation_judgments using (query_id)"
    assert project.query(both).to_pylist() == [{"n": 0}]


def test_without_judgments_and_clicks_there_is_nothing_to_learn_from(tmp_path, files):
    (files / "judgments.csv").unlink()
    with pytest.raises(SourceError, match="no file for judgments") as caught:
        init_project(tmp_path / "mine", parse_source(f"files:{files}", None))
    assert "impressions" in caught.value.hint
