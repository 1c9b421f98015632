"""Which stage stands behind a retriever's name, in the project that `hnm init` writes."""

from pathlib import Path

import pytest

from hnm import Project
from hnm.errors import SelectorError
from hnm.search.retrievers import retrievers, wanted
from hnm.trained import reranker


@pytest.fixture(scope="module")
def project() -> Project:
    return Project.load(Path(__file__).parents[2])


def test_a_name_means_the_candidates_not_another_collection_nor_a_variant(project: Project) -> None:
    found = retrievers(project.manifest)
    assert {name: found[name].name for name in wanted(project.manifest, None)} == {
        name: f"candidates_{name}" for name in ("bm25", "minilm", "wordllama", "ensemble")
    }


def test_unknown_rerankers_are_told_the_usual_ones(project: Project) -> None:
    with pytest.raises(SelectorError) as error:
        reranker(project.manifest, "zzzzzzzz")
    assert error.value.hint is not None
    assert "reranker_hard" in error.value.hint
    assert "negatives_pay" not in error.value.hint
