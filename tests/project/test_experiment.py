"""Experiments: the cells of a matrix, the stages that they are, and the errors of what cannot be meant."""

from itertools import product
from pathlib import Path

import pytest
from experiment_project import experiment_project
from hypothesis import given
from hypothesis import strategies as st

from hnm.errors import Location, ProjectError
from hnm.project.experiment import FIRST_STAGE, read_experiment
from hnm.project.experiment_config import ExperimentConfig
from hnm.project.yaml_file import YamlFile

FILE = YamlFile(Path("p.yml"), None, {(): Location(Path("p.yml"), 1)})
EVALUATE = {"home": {"first_stage": "ref(f)", "texts": "ref(t)", "judgments": "ref(j)"}}


def experiment(matrix, sides=("home",), evaluate=EVALUATE, **more):
    given = {"kind": "experiment", "name": "e", "train": {"inputs": {}}, "matrix": matrix, "evaluate": evaluate, **more}
    config = ExperimentConfig.model_validate(given)
    return read_experiment(config, config.matrix, sides, FILE, ())


def stages(found):
    return {stage.config.name: stage.config for stage in found.stages}


# Which cells


@given(
    st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True),
    st.lists(st.sampled_from("wxyz"), min_size=1, max_size=3, unique=True),
)
def test_the_cells_are_the_product_of_the_axes(seeds, recipes, losses):
    found = experiment({"recipe": dict.fromkeys(recipes), "loss": losses, "seed": seeds})
    assert len(found.cells) == len(seeds) * len(recipes) * len(losses)
    assert len({cell.name for cell in found.cells}) == len(found.cells)
    made = stages(found)
    params = {
        (made[cell.stage].params["seed"], cell.recipe[0], made[cell.stage].params["loss"]) for cell in found.cells
    }
    assert params == set(product(seeds, recipes, losses))
    # All recipes with the first seed come before any with the second: half a matrix compares them all.
    assert [cell.seed for cell in found.cells] == [f"seed{seed}" for seed in seeds for _ in product(recipes, losses)]


@given(st.sets(st.sampled_from("abc")), st.sets(st.sampled_from("xy")), st.sets(st.sampled_from("abc")))
def test_excluded_cells_are_left_out_and_included_ones_come_back(recipes, losses, back):
    left_out = [{"recipe": sorted(recipes), "loss": sorted(losses)}]
    again = [{"recipe": sorted(back)}]
    wanted = [
        (recipe, loss)
        for recipe, loss in product("abcd", "xyz")
        if not (recipe in recipes and loss in losses) or recipe in back
    ]
    found = experiment({"recipe": dict.fromkeys("abcd"), "loss": list("xyz")}, exclude=left_out, include=again)
    assert [cell.name for cell in found.cells] == [
        recipe if loss == "x" else f"{recipe}__{loss}" for recipe, loss in wanted
    ]


def test_a_level_that_does_not_exist_is_refused_unless_a_template_makes_the_levels():
    with pytest.raises(ProjectError, match="the axis 'seed' has no level 9"):
        experiment({"recipe": {"a": None}, "seed": [0, 1]}, exclude=[{"seed": 9}])


def test_a_number_is_excluded_by_its_value_or_its_name():
    for name in (1, "seed1", [1], ["seed1"]):
        found = experiment({"recipe": {"a": None}, "seed": [0, 1]}, exclude=[{"seed": name}])
        assert [cell.name for cell in found.cells] == ["a__seed0"]


def test_seeds_are_pooled_and_the_first_level_of_a_further_axis_goes_without_saying():
    found = experiment({"recipe": {"a": None, "b": None}, "loss": ["ce", "bce"], "seed": [0, 1]})
    assert list(dict.fromkeys(cell.recipe for cell in found.cells)) == [("a",), ("a", "bce"), ("b",), ("b", "bce")]
    assert [cell.name for cell in found.cells][:2] == ["a__seed0", "a__bce__seed0"]


def test_a_matrix_of_seeds_alone_is_one_recipe():
    found = experiment({"seed": [3, 4]})
    assert [(cell.name, cell.recipe) for cell in found.cells] == [("seed3", ("seed3",)), ("seed4", ("seed4",))]


def test_names_are_made_of_whatever_the_values_are():
    found = experiment({"recipe": {"a": None}, "learning_rate": [2e-5, 1.5], "freeze": [True, "very much"]})
    assert [cell.name for cell in found.cells] == [
        "a", "a__very_much", "a__learning_rate1_5", "a__learning_rate1_5__very_much",
    ]  # fmt: skip


# Which stages


def test_a_level_changes_what_all_share_and_later_axes_count_more():
    train = {"transform": "own:train", "inputs": {"triplets": "ref(t)", "start": "ref(s)"}, "params": {"x": 1, "y": 1}}
    matrix = {
        "recipe": {"a": {"params": {"x": 2, "z": 2}, "inputs": {"start": None, "teacher": "ref(u)"}}},
        "size": {"small": {"params": {"z": 3}}},
    }
    made = stages(experiment(matrix, train=train))["e__a"]
    assert (made.transform, made.params) == ("own:train", {"x": 2, "y": 1, "z": 3})
    assert made.inputs == {"triplets": "ref(t)", "teacher": "ref(u)"}


def test_every_side_is_measured_by_itself():
    evaluate = {side: {name: f"ref({side}_{name})" for name in EVALUATE["home"]} for side in ("home", "away")}
    found = experiment({"recipe": {"a": None}}, ("home", "away"), evaluate, models={"start": "m"})
    made = stages(found)
    assert list(made) == [
        "e__first_stage__home_measures", "e__first_stage__away_measures",
        "e__start__home", "e__start__home_measures", "e__start__away", "e__start__away_measures",
        "e__a", "e__a__home", "e__a__home_measures", "e__a__away", "e__a__away_measures", "e",
    ]  # fmt: skip
    assert made["e__a__away"].inputs == {
        "first_stage": "ref(away_first_stage)", "texts": "ref(away_texts)", "model": "ref(e__a)",
    }  # fmt: skip
    assert made["e__first_stage__away_measures"].inputs["runs"] == "ref(away_first_stage)"
    assert made["e__start__home"].params["model"] == "m"
    assert all(stage.on_demand and stage.tags == ("experiment", "e") for stage in made.values())
    assert list(made["e"].inputs) == [
        "first_stage__home", "first_stage__away", "start__home", "start__away", "a__home", "a__away", "a__model",
    ]  # fmt: skip
    alone = stages(experiment({"recipe": {"a": None}}, ("home",), evaluate))
    assert not [name for name in alone if "away" in name]


def test_an_interpolated_side_orders_the_lists_of_its_side_once_more():
    mixed = {"inputs": {"bm25": "ref(b)"}, "weights": {"bm25": 0.2}}
    evaluate = {"home": EVALUATE["home"] | {"interpolate": mixed, "measures": ["RR@3"]}, "away": EVALUATE["home"]}
    found = experiment({"recipe": {"a": None}}, ("home", "away"), evaluate, models={"start": "m"})
    made = stages(found)
    assert found.sides == ("home", "home_interpolated", "away")
    assert [name for name in made if name.startswith("e__a")] == [
        "e__a", "e__a__home", "e__a__home_measures", "e__a__home_interpolated", "e__a__home_interpolated_measures",
        "e__a__away", "e__a__away_measures",
    ]  # fmt: skip
    assert made["e__a__home_interpolated"].transform == "interpolate"
    assert made["e__a__home_interpolated"].inputs == {
        "reranked": "ref(e__a__home)",
        "texts": "ref(t)",
        "bm25": "ref(b)",
    }
    assert made["e__a__home_interpolated"].params == {"name": "a", "weights": {"bm25": 0.2}}
    measures = made["e__a__home_interpolated_measures"]
    assert measures.inputs == {"judgments": "ref(j)", "runs": "ref(e__a__home_interpolated)"}
    assert measures.params == {"measures": ("RR@3",)}
    assert made["e"].inputs["start__home_interpolated"] == "ref(e__start__home_interpolated_measures)"
    # Nothing reranks the first stage: it is the same on both.
    assert made["e"].inputs["first_stage__home_interpolated"] == "ref(e__first_stage__home_measures)"
    assert "e__first_stage__home_interpolated_measures" not in made


def test_a_side_may_not_be_called_as_the_interpolated_one_of_another():
    mixed = {"inputs": {"bm25": "ref(b)"}, "weights": {"bm25": 0.2}}
    evaluate = {"home": EVALUATE["home"] | {"interpolate": mixed}, "home_interpolated": EVALUATE["home"]}
    with pytest.raises(ProjectError, match="the side 'home_interpolated' is named as the interpolated one"):
        experiment({"recipe": {"a": None}}, ("home", "home_interpolated"), evaluate)


@pytest.mark.parametrize(
    ("inputs", "lacking"), [({"z": "ref(z)"}, "input"), ({"bm25": "ref(b)", "c": "ref(c)"}, "weight")]
)
def test_lists_and_weights_of_an_interpolated_side_belong_together(inputs, lacking):
    evaluate = {"home": EVALUATE["home"] | {"interpolate": {"inputs": inputs, "weights": {"bm25": 0.2}}}}
    with pytest.raises(ProjectError, match=f"has no {lacking}"):
        experiment({"recipe": {"a": None}}, evaluate=evaluate)


def test_scores_take_one_training_of_each_recipe():
    scores = {"triplets": "ref(t)", "groups": 7}
    found = experiment({"recipe": {"a": None, "b": None}, "seed": [0, 1]}, scores=scores, models={"start": "m"})
    made = stages(found)["e__scores"]
    assert made.inputs == {"triplets": "ref(t)", "a": "ref(e__a__seed0)", "b": "ref(e__b__seed0)"}
    assert (made.params["groups"], made.params["models"]) == (7, {"start": "m"})


# In a project


@pytest.fixture
def project(tmp_path, tiny_cross_encoder):
    return experiment_project(tmp_path / "experiments", tiny_cross_encoder)


def test_templates_are_rendered_and_the_experiment_is_part_of_the_project(project):
    found = project.load().manifest.experiments["pay"]
    assert [cell.name for cell in found.cells] == [
        "random__seed0", "hard__seed0", "hard__bce__seed0", "hardest__seed0", "random__seed1", "hard__seed1",
    ]  # fmt: skip
    quick = project.load(experiment_seeds=[7], experiment_groups=3).manifest
    assert [cell.seed for cell in quick.experiments["pay"].cells] == ["seed7"] * 3
    assert quick.nodes["pay__hard__seed7"].work.params.max_groups == 3
    assert quick.nodes["pay__hardest__seed7"].depends_on == ("triplets__hardest",)


def test_nothing_of_it_runs_unasked(project):
    loaded = project.load()
    assert not [name for name in loaded.select() if name.startswith("pay")]
    assert set(loaded.select(["tag:pay"])) == {name for name in loaded.manifest.nodes if name.startswith("pay")}
    assert loaded.select(["pay__random*seed0"]) == ("pay__random__seed0",)
    assert {"triplets__hardest", "texts", "pay__hard__seed1"} <= set(loaded.select(["+pay"]))


def test_a_disabled_experiment_does_not_exist(project):
    project.edit("pipelines/experiment.yml", "kind: experiment\n", 'kind: experiment\n    enabled: "{{ 1 > 2 }}"\n')
    manifest = project.load().manifest
    assert (manifest.experiments, [name for name in manifest.nodes if name.startswith("pay")]) == ({}, [])


@pytest.mark.parametrize(
    ("old", "new", "what", "hint", "place"),
    [
        ("kind: experiment", "kind: experimant", "kind: Input should be 'experiment'", "'experiment'", "kind:"),
        ("[first_stage, random]", "[bm25]", "unknown baseline 'bm25'", "first_stage", "baselines"),
        ("[first_stage, random]", "[first_stage, randum]", "unknown baseline 'randum'", "'random'", "baselines"),
        ("exclude: [{loss: bce}", "exclude: [{los: bce}", "pay has no axis 'los'", "'loss'", "exclude"),
        ("exclude: [{loss: bce}", "exclude: [{loss: bca}", "the axis 'loss' has no level 'bca'", "'bce'", "exclude"),
        ("loss: [cross_entropy, bce]", "loss: []", "the axis 'loss' has no levels", "write a list", "loss:"),
        ("loss: [cross_entropy, bce]", "loss: bce", "the axis 'loss' is 'bce'", "write a list", "loss:"),
        ("loss: [cross_entropy, bce]", "loss: [hard, bce]", "is named as a level of 'recipe'", "a name of", "loss:"),
        ("loss: [cross_entropy, bce]", "loss: [start, bce]", "is named as one of `models`", "name of its own", "loss:"),
        ("random: {params", "ran-dom: {params", "'ran-dom' is no name of a level", "letters", "ran-dom"),
        ("random: {params", "random: {parms", "unknown key 'parms'", "'params'", "random: {parms"),
        ("depth: 4", "depht: 4", "unknown key 'depht'", "'depth'", "depht"),
        ("depth: 4", "depth: deep", "depth: Input should be a valid integer", "", "depth: deep"),
        ("max_groups:", "max_grups:", "unknown key 'max_grups'", "'max_groups'", "max_grups"),
        ("per_group: 2}]}}", "per_group: 0}]}}", "greater than or equal to 1, not 0", "", "random: {params"),
        ("texts: ref(texts)", "texts: ref(text)", "reads the unknown stage 'text'", "'texts'", "texts: ref(text)"),
        ("models: {start: models/tiny}", "models: {st-art: models/tiny}", "st-art", "", "models: {st-art"),
        ("name: pay\n", f"name: {'p' * 90}\n", "letters, more than 100", "shorter names", "name: ppp"),
        ("      home:\n", "      home:\n        enabled: false\n", "no side of `evaluate`", "", "evaluate"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_its_place(project, old, new, what, hint, place):
    path = project.root / "pipelines/experiment.yml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    error = project.refused()
    assert what in str(error)
    assert hint in (error.hint or "")
    assert error.where.path == path
    assert place in path.read_text().splitlines()[error.where.line - 1]


def test_an_entry_without_axes_means_all_cells(project):
    project.edit("pipelines/experiment.yml", "exclude: [{loss: bce},", "exclude: [{},")
    assert [cell.name for cell in project.load().manifest.experiments["pay"].cells] == ["hard__bce__seed0"]


def test_first_stage_is_a_name_of_its_own():
    with pytest.raises(ProjectError, match="named as the first stage"):
        experiment({"recipe": {FIRST_STAGE: None}})
