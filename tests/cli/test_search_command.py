"""`hnm search` and `hnm model`, as people and programs see them."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mined_project import command
from searched_project import shared
from tiny_project import TinyProject

from hnm.api import Project

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, tiny_cross_encoder: Path) -> TinyProject:
    return shared(tmp_path_factory.getbasetemp() / "searched", tiny_cross_encoder)


@pytest.fixture
def search(project: TinyProject, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    with command("search", project, capsys, monkeypatch) as call:
        yield call


@pytest.fixture
def model(project: TinyProject, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    with command("model", project, capsys, monkeypatch) as call:
        yield call


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_fits_and_shows_texts_as_they_are(search: Call, columns: int) -> None:
    code, out, err = search("red apple markup", "--top", "12", columns=columns)
    assert code == 0
    lines = out.splitlines()
    assert max(map(len, lines)) <= columns
    assert lines[0].split() == ["document", "reranker", "fused", "bm25", "minilm", "wordllama", "ensemble"]
    assert "\x1b" not in out
    assert "Markup" in out and "d04" in out
    assert "12 documents · reranker reranked the first 30 · held: texts" in " ".join(err.split())


def test_a_text_without_a_title_is_shown_by_its_first_words(search: Call) -> None:
    _, out, _ = search("bicycle tyre", "--retriever", "bm25", "--depth", "0", "--top", "1", columns=120)
    assert out.splitlines()[1].startswith("1  A bicycle tyre is repaired with a patch.")
    assert out.splitlines()[2].split()[0] == "d02"


def test_a_narrow_terminal_says_what_it_leaves_out(search: Call) -> None:
    code, out, err = search("apple", columns=50)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 50
    assert "too wide for this terminal, but in --json" in err


def test_json(search: Call, project: TinyProject) -> None:
    code, out, _ = search("apple pie", "--json", "--top", "2")
    told = json.loads(out)
    assert code == 0
    assert (told["text"], told["retrievers"][0], told["reranker"]) == ("apple pie", "bm25", "reranker")
    expected = project.load().searcher().search("apple pie", 2)
    assert [hit["doc_id"] for hit in told["hits"]] == [hit.doc_id for hit in expected]
    assert told["hits"][0]["found"]["bm25"].keys() == {"rank", "score"}


def test_many_texts_from_stdin_become_json_lines(search: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    given = "apple pie\n\n  [bold]東京[/bold]\n".encode() + b"\xff broken\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    code, out, _ = search("-", "--retriever", "bm25", "--depth", "0", "--top", "1")
    told = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["text"] for line in told] == ["apple pie", "[bold]東京[/bold]", "\ufffd broken"]
    assert [len(line["hits"]) for line in told] == [1, 1, 0]


def test_wrong_use(search: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments, words in {
        (" ",): "empty",
        ("x", "--retriever", "bm"): "did you mean 'bm25'?",
        ("x", "--model", "our"): "did you mean 'ours'?",
    }.items():
        code, out, err = search(*arguments)
        assert (code, out) == (1, "")
        assert words in err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b" \n")))
    code, out, err = search("-", "--retriever", "bm25", "--depth", "0")
    assert (code, out) == (1, "")
    assert "standard input holds no text" in err


def test_nothing_found_and_nothing_built(search: Call, tmp_path: Path) -> None:
    code, out, err = search("zzz", "--retriever", "bm25", "--depth", "0")
    assert (code, out) == (0, "")
    assert "nothing was found" in err
    empty = TinyProject(tmp_path)
    empty.write("project.yml", "name: empty\n")
    empty.write("pipelines/one.yml", "stages: [{name: corpus}]\n")
    empty.write("sql/corpus.sql", "select 1 as doc_id")
    code, out, err = search("x", root=tmp_path)
    assert (code, out) == (1, "")
    assert "the project has no retriever" in err


def test_models_are_listed(model: Call, project: TinyProject) -> None:
    (version,) = [done.version for done in Project.load(project.root).models()]
    code, out, _ = model("list", columns=120)
    assert code == 0
    header, row, *_ = out.splitlines()
    assert header.split() == ["model", "weights", "trained", "on", "built", "nDCG@10", "RR@10"]
    assert row.split()[:2] == ["reranker", version[:8]]
    assert row.split()[-2:] == ["0.6", "0.7"]
    code, out, _ = model("list", "--json")
    (told,) = json.loads(out)
    assert (told["stage"], told["version"], told["measures"]) == ("reranker", version, {"RR@10": 0.7, "nDCG@10": 0.6})
    assert told["dataset_version"].keys() == {"queries"}
    assert told["facts"]["base_model"] == "start"


def test_a_project_without_models(model: Call, tmp_path: Path) -> None:
    TinyProject.write_to(tmp_path)
    code, out, err = model("list", root=tmp_path)
    assert (code, out) == (0, "")
    assert "no model is built; none is declared" in err


def test_a_model_is_exported_once(model: Call, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    code, out, err = model("export", "reranker", str(folder))
    assert (code, out) == (0, "")
    assert str(folder) in err
    assert (folder / "model.safetensors").is_file()
    code, _, err = model("export", "reranker", str(folder))
    assert code == 1
    assert "the folder is not empty" in err
    code, out, _ = model("export", "reranker", str(folder), "--force", "--json")
    assert code == 0
    assert json.loads(out) == {"folder": str(folder), "format": "safetensors", "difference": None}
