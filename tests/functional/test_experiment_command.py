"""An experiment from YAML to the table, through the command line: run, killed, gone on with, compared."""

import json

import pytest
from experiment_project import EXPERIMENT, experiment_project
from mined_project import command

from hnm.experiment import compare

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory, tiny_cross_encoder):
    """The project; one cell is still to be built."""
    project = experiment_project(tmp_path_factory.mktemp("experiment") / "project", tiny_cross_encoder)
    loaded = project.load()
    assert loaded.run(loaded.plan(["+pay"], ["pay", "pay__hard__seed1*"])).ok
    return project


def test_what_is_built_is_compared_and_the_rest_is_named(project):
    found = compare(project.load())
    assert (len(found.cells), found.built, found.missing, found.stale) == (6, 5, ["hard__seed1"], [])
    seeds = {row["recipe"]: row["seeds"] for row in found.recipes()}
    assert seeds == {"random": 2, "hard": 1, "hard, bce": 1, "hardest": 1, "start": 1, "first_stage": 1}
    assert [row["value"] for row in found.recipes() if row["recipe"] == "first_stage"] == [pytest.approx(1 / 3)]
    budgets = {(row["groups"], row["pairs"], row["steps"]) for row in found.rows if row["recipe"] == "hard"}
    assert budgets == {(8, 24, 2)}


def test_the_rest_goes_on_and_the_table_says_what_the_command_says(project):
    outcomes = project.outcomes("+pay", "+pay__scores")
    built = {name for name, outcome in outcomes.items() if outcome == "built"}
    cell = "pay__hard__seed1"
    assert built == {cell, f"{cell}__home", f"{cell}__home_measures", "pay", "pay__scores"}
    found = compare(project.load(), "pay", "nDCG@10")
    keys = ("recipe", "side", "value", "ci_low", "seed_high", "pairs", "difference", "p_holm")
    shown = {tuple(row.get(key) for key in keys) for row in found.rows}
    assert shown == set(project.rows(f"select {', '.join(keys)} from pay where measure = 'nDCG@10'"))
    assert set(project.outcomes("+pay").values()) == {"fresh"}
    assert found.stale == []


def test_scores_before_and_after_training_are_of_the_same_pairs(project):
    project.run("+pay__scores")
    rows = project.rows("select model, class, pairs, above_positive is null from pay__scores order by all")
    assert {model for model, *_ in rows} == {"start", "random", "hard", "hard, bce", "hardest"}
    assert {row[1:] for row in rows} == {("positive", 5, True), ("hard", 5, False), ("random", 5, False)}
    assert len(compare(project.load()).scores) == len(rows)


def test_the_groups_of_recipes_are_the_same_groups(project):
    project.run("+pay")
    state = project.load().state()
    facts = {name: built.facts for name, built in state.items() if name.startswith("pay__") and "steps" in built.facts}
    assert {fact["groups"] for fact in facts.values()} == {8}
    assert facts["pay__hard__seed0"]["training_data"] == facts["pay__hard__bce__seed0"]["training_data"]
    assert facts["pay__hard__seed0"]["training_data"] != facts["pay__random__seed0"]["training_data"]


def test_other_settings_make_what_is_built_out_of_date(project):
    project.run("+pay")
    found = compare(project.load(experiment_groups=4, experiment_seeds=[0, 5]))
    assert set(found.stale) == {"random__seed0", "hard__seed0", "hard__bce__seed0", "hardest__seed0"}
    assert {"random__seed5", "hard__seed5"} <= set(found.missing)


def test_the_command_shows_it_and_refuses_wrong_names_with_near_ones(project, capsys, monkeypatch):
    project.run("+pay__scores")
    with command("compare", project, capsys, monkeypatch) as call:
        code, out, err = call()
        assert (code, "pay: RR@10 at home (test), 4 queries" in out) == (0, True)
        assert "6 of 6 cells built" in err
        assert json.loads(call("pay", "--json")[1])["cells"]["built"] == 6
        assert "negatives of hard" in call("--scores")[1]
        code, _, err = call("pya")
        assert (code, "did you mean 'pay'?" in err) == (1, True)
        code, _, err = call("--measure", "nDCG@5")
        assert (code, "nDCG@5 was not computed" in err) == (1, True)


def test_a_project_without_an_experiment_says_so(tiny, capsys, monkeypatch):
    with command("compare", tiny, capsys, monkeypatch) as call:
        code, _, err = call()
    assert (code, "the project has no experiment" in err) == (1, True)


def test_an_interpolated_side_is_measured_from_the_lists_that_there_are(project):
    """All by the rank of the first stage: then every system has its lists."""
    project.run("+pay")
    mixed = (
        "measures: [RR@10, nDCG@10]\n            interpolate: {inputs: {bm25: ref(first_stage)}, weights: {bm25: 100}}"
    )
    project.write("pipelines/experiment.yml", EXPERIMENT.replace("measures: [RR@10, nDCG@10]", mixed))
    outcomes = project.outcomes("+pay")
    built = {name for name, outcome in outcomes.items() if outcome == "built"}
    assert {name.partition("interpolated")[1] for name in built - {"pay"}} == {"interpolated"}
    found = compare(project.load())
    values = {row["recipe"]: row["value"] for row in found.recipes() if row["side"] == "home_interpolated"}
    assert values == {
        recipe: pytest.approx(1 / 3) for recipe in ("start", "first_stage", "random", "hard", "hard, bce", "hardest")
    }
    assert {row["side"] for row in found.recipes()} == {"home", "home_interpolated"}
