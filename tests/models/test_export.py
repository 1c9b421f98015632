"""Exported models: folders that work without hnm, whole or not there, and what is said of their difference."""

import re
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from searched_project import shared
from tiny_project import TinyProject, environment

from hnm.errors import HnmError, ModelError, QueryError, SelectorError, WarehouseError
from hnm.models.export import difference_rows, export_model
from hnm.models.onnx_export import Form

PAIRS = [("apple pie", "bake an apple pie " * 8), ("x", "y"), ("東京", ""), ("a longer query of words", "b")]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, tiny_cross_encoder: Path) -> TinyProject:
    return shared(tmp_path_factory.getbasetemp() / "searched", tiny_cross_encoder)


def elsewhere(script: str, folder: Path) -> list[float]:
    """The numbers that a script prints, in a process that cannot import hnm."""
    blocked = f"import sys; sys.modules['hnm'] = None; folder = {str(folder)!r}; pairs = {PAIRS!r}\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{blocked}{script}\nprint(*scores)"],
        cwd=folder.parent,
        env=environment({"OMP_NUM_THREADS": "1"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [float(value) for value in done.stdout.splitlines()[-1].split()]


def original(project: TinyProject) -> list[float]:
    from sentence_transformers import CrossEncoder

    (folder,) = (model.folder for model in project.load().models())
    return [float(score) for score in CrossEncoder(str(folder), device="cpu", max_length=48).predict(PAIRS)]


def card_script(folder: Path) -> str:
    """The lines of Python that the card shows, with our folder and pairs in place of its own."""
    (script,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    return "".join(line for line in script.splitlines(keepends=True) if not line.startswith(("folder = ", "pairs = ")))


def test_a_plain_folder_is_loaded_in_one_line_elsewhere(project: TinyProject, tmp_path: Path) -> None:
    exported = export_model(project.load(), "reranker", tmp_path / "out")
    assert exported.difference is None
    assert (tmp_path / "out" / "README.md").read_text().startswith("# A model\n")
    line = "from sentence_transformers import CrossEncoder; scores = CrossEncoder(folder).predict(pairs)"
    assert elsewhere(line, tmp_path / "out") == pytest.approx(original(project), abs=1e-5)


def test_the_card_says_which_versions_these_are_and_what_was_measured(project: TinyProject, tmp_path: Path) -> None:
    export_model(project.load(), "reranker", tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    ((data_version,),) = project.rows("select data_version from _hnm.versions where stage = 'queries'")
    (model,) = project.load().models()
    assert f"Weights `{model.version}`, trained on queries `{data_version}`." in card
    assert card.endswith(
        """
| mean (95 % interval) | ours, test (3 queries) |
| --- | --- |
| RR@10 | 0.700 (0.600 to 0.800) |
| nDCG@10 | 0.600 (0.500 to 0.700) |
"""
    )


def test_onnx_scores_as_the_original(project: TinyProject, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    difference = export_model(project.load(), "reranker", folder, Form.onnx).difference
    assert difference is not None
    assert (difference.queries, difference.same_first) == (4, 1)
    assert difference.pairs == project.rows("select count(*) from first_stage")[0][0]
    assert difference.largest < 1e-4
    assert difference.before == difference.after == pytest.approx(_reciprocal_rank(project))
    assert [file.name for file in (folder / "onnx").iterdir()] == ["model.onnx"]
    card = (folder / "README.md").read_text()
    assert card.startswith("# A model\n")
    assert all(f"| {name} | {value} |" in card for name, value in difference_rows(difference).items())
    assert elsewhere(card_script(folder), folder) == pytest.approx(original(project), abs=1e-4)


def test_8_bit_integers_differ_a_little(project: TinyProject, tmp_path: Path) -> None:
    small = tmp_path / "small"
    difference = export_model(project.load(), "reranker", small, Form.onnx_int8, queries=2).difference
    assert difference is not None
    assert difference.queries == 2
    assert 0 < difference.mean <= difference.largest < 0.1
    assert [file.name for file in (small / "onnx").iterdir()] == ["model_qint8.onnx"]
    scores = elsewhere(card_script(small), small)
    assert scores == pytest.approx(original(project), abs=0.1)
    assert np.ptp(scores) > 0


def _reciprocal_rank(project: TinyProject) -> float:
    """RR@10 of the reranked lists over all four queries, by SQL."""
    rows = project.rows(
        "select min(rank) from reranked_ours join judgments using (query_id, doc_id) where grade > 0 group by query_id"
    )
    return sum(1 / rank for (rank,) in rows if rank <= 10) / 4


def test_without_lists_nothing_is_measured(project: TinyProject, tmp_path: Path) -> None:
    copy = TinyProject(Path(copytree(project.root, tmp_path / "copy")))
    copy.load().warehouse.clear()
    assert copy.run("+reranker").ok
    exported = export_model(copy.load(), "reranker", tmp_path / "out", Form.onnx)
    assert exported.difference is None
    card = (tmp_path / "out" / "README.md").read_text()
    assert "was not measured" in card
    assert "This version was not evaluated." in card


def test_a_damaged_model_is_not_exported(project: TinyProject, tmp_path: Path) -> None:
    copy = TinyProject(Path(copytree(project.root, tmp_path / "copy")))
    for weights in (copy.root / "data/warehouse/models").rglob("*.safetensors"):
        weights.unlink()
    with pytest.raises(WarehouseError, match="the model reranker is not as it was built") as error:
        export_model(copy.load(), "reranker", tmp_path / "out")
    assert error.value.hint == "build it anew: `hnm run --select reranker --full-refresh`"
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten_but_models_by_force(project: TinyProject, tmp_path: Path) -> None:
    loaded, folder = project.load(), tmp_path / "out"
    export_model(loaded, "reranker", folder)
    (folder / "mine.txt").write_text("kept")
    with pytest.raises(HnmError, match="not empty"):
        export_model(loaded, "reranker", folder)
    assert (folder / "mine.txt").exists()
    export_model(loaded, "reranker", folder, force=True)
    assert not (folder / "mine.txt").exists()
    assert (folder / "model.safetensors").exists()
    other = tmp_path / "photos"
    other.mkdir()
    (other / "one.jpg").write_text("")
    with pytest.raises(ModelError, match="only a model's folder"):
        export_model(loaded, "reranker", other, force=True)
    assert [path.name for path in other.iterdir()] == ["one.jpg"]


def test_a_failure_leaves_what_was_there(project: TinyProject, tmp_path: Path) -> None:
    copy = TinyProject(Path(copytree(project.root, tmp_path / "copy")))
    (model,) = copy.load().models()
    folder = tmp_path / "out"
    export_model(copy.load(), "reranker", folder)
    before = sorted(tmp_path.rglob("*"))
    (model.folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(HnmError):
        export_model(copy.load(), "reranker", folder, Form.onnx, force=True)
    assert sorted(tmp_path.rglob("*")) == before
    assert (folder / "model.safetensors").stat().st_size > 100


def test_models_that_cannot_be_exported(project: TinyProject, tmp_path: Path) -> None:
    with pytest.raises(SelectorError) as caught:
        export_model(project.load(), "rerankr", tmp_path / "out")
    assert caught.value.hint == "did you mean 'reranker'?"
    with pytest.raises(SelectorError) as caught:
        export_model(project.load(), "x", tmp_path / "out")
    assert caught.value.hint == "models: reranker, baseline"
    with pytest.raises(QueryError, match="baseline is not built"):
        export_model(project.load(), "baseline", tmp_path / "out")
    assert not (tmp_path / "out").exists()
