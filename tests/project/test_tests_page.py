"""docs/tests.md: its examples are right, and no option is missing from it."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from hnm.api import Project
from hnm.project.config import ColumnConfig, PipelineFile, StageConfig
from hnm.project.data_test_kinds import KINDS
from hnm.project.data_tests import declared_tests
from hnm.project.yaml_file import YamlFile

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/tests.md").read_text(encoding="utf-8")
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
TESTS = [entry for block in BLOCKS if isinstance(block, list) for entry in block]
FILES = [block for block in BLOCKS if isinstance(block, dict) and "columns" not in block]


@pytest.mark.parametrize("entry", TESTS, ids=str)
def test_every_example_of_a_data_test(entry):
    kind = entry if isinstance(entry, str) else next(iter(entry))
    stage = StageConfig(name="t", tests=(entry,))
    if "column" in KINDS[kind].of:
        stage = StageConfig(name="t", columns=(ColumnConfig(name="x", tests=(entry,)),))
    (test,) = declared_tests(stage, YamlFile(Path("docs/tests.md"), None), (), {})
    assert test.kind == kind


def test_every_example_of_a_file():
    files = [PipelineFile.model_validate(data) for data in FILES]
    assert [(len(file.stages), len(file.unit_tests)) for file in files] == [(1, 0), (0, 1)]


def test_the_unit_test_of_the_page_and_those_of_the_default_pipeline_pass(tmp_path):
    for part in ("pipelines", "sql"):
        shutil.copytree(ROOT / part, tmp_path / part)
    shutil.copy(ROOT / "project.yml", tmp_path)
    (tmp_path / "pipelines/page.yml").write_text(yaml.safe_dump({"unit_tests": FILES[1]["unit_tests"]}))
    verdicts = list(Project.load(tmp_path).unit_tests())
    assert verdicts
    assert [verdict for verdict in verdicts if verdict.status != "pass"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_and_option_is_described(kind):
    assert f"### `{kind}`" in PAGE
    for option in KINDS[kind].options.model_fields:
        assert f"`{option}`" in PAGE
    assert {next(iter(entry)) if isinstance(entry, dict) else entry for entry in TESTS} >= {
        "not_null",
        "in_range",
        "sql",
    }
