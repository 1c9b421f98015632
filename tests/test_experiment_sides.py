"""An experiment that is measured on one side and not yet on the other."""

import json

import pytest
from experiment_project import experiment_project

from hnm.cli.compare_view import print_comparison
from hnm.experiment import compare

AWAY = """\
      away:
        first_stage: ref(first_stage)
        texts: ref(texts)
        judgments: ref(judgments)
        depth: 2
        max_length: 32
        measures: [RR@10, nDCG@10]
    baselines:"""


@pytest.fixture(scope="module")
def project(tmp_path_factory, tiny_cross_encoder):
    """All is measured at home but one recipe; away only the first stage and that recipe."""
    project = experiment_project(tmp_path_factory.mktemp("sides") / "project", tiny_cross_encoder)
    project.edit("pipelines/experiment.yml", "    baselines:", AWAY)
    home = [f"+pay__{name}__home_measures" for name in ("first_stage", "start", "random__seed0")]
    away = [f"+pay__{name}__away_measures" for name in ("first_stage", "hard__seed0")]
    assert project.run(*home, *away).ok
    return project


def test_each_side_shows_what_is_measured_there(project):
    rows = {side: set() for side in ("home", "away")}
    for row in compare(project.load()).recipes():
        rows[row["side"]].add(row["recipe"])
    assert rows == {"home": {"first_stage", "start", "random"}, "away": {"first_stage", "hard"}}


def test_which_cells_lack_which_side_is_told(project):
    found = compare(project.load())
    assert found.unmeasured == {"home": ["hard__seed0"], "away": ["start", "random__seed0"]}
    assert found.missing == ["hard__bce__seed0", "hardest__seed0", "random__seed1", "hard__seed1"]
    assert (found.built, found.stale) == (0, [])
    told = json.loads(project.hnm("compare", "--json").stdout)["cells"]
    assert (told["unmeasured"], told["built"], told["missing"]) == (found.unmeasured, 0, found.missing)


def test_the_screen_says_so(project, capsys):
    print_comparison(compare(project.load()))
    words = " ".join(capsys.readouterr().err.split())
    assert "0 of 6 cells built" in words
    assert "not measured at home: hard__seed0" in words
    assert "not measured at away: start, random__seed0" in words
