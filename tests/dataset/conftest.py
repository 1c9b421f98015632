"""A project with two tagged versions of its triplets."""

import shutil
from pathlib import Path

import pytest
from tiny_project import TinyProject
from triplet_project import write_triplet_project

from hnm.dataset.find import find
from hnm.dataset.tags import tag


@pytest.fixture(scope="session")
def _two_versions_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = write_triplet_project(tmp_path_factory.mktemp("triplets") / "tiny")
    for name, variables in (("v1", {}), ("v2", {"per_pair": 3, "shift": 1})):
        assert project.run(**variables).ok
        warehouse = project.load().warehouse
        tag(warehouse, find(warehouse, "triplets"), name)
    return project.root


@pytest.fixture
def versions(_two_versions_once: Path, tmp_path: Path) -> TinyProject:
    """Triplets v1 with two negatives of each pair, and v2, the current one, with three others of each."""
    return TinyProject(Path(shutil.copytree(_two_versions_once, tmp_path / "tiny")))
