"""A value that a template refuses is said to stand where the user set it."""

from pathlib import Path
from shutil import copytree

import pytest
from tiny_project import TinyProject

from hnm.errors import Location, TemplateError

ROOT = Path(__file__).parents[2]
FILL = "    - {name: fill, rule: below_positive_share, share: 0.95, fills: [paper], per_positive: 2}\n"


@pytest.fixture
def shipped(tmp_path: Path) -> TinyProject:
    """The project of this repository."""
    for folder in ("pipelines", "sql"):
        copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "project.yml").write_bytes((ROOT / "project.yml").read_bytes())
    return TinyProject(tmp_path)


def place_of(project: TinyProject, text: str, name: str = "project.yml") -> Location:
    """Where `text` begins in a file."""
    before = project.root.joinpath(name).read_text(encoding="utf-8").partition(text)[0]
    return Location(project.root / name, before.count("\n") + 1, len(before) - before.rfind("\n"))


@pytest.mark.parametrize(
    ("fill", "words", "at"),
    [
        (
            "{name: fill, rule: below_positive_shar}",
            "no macro 'rule_below_positive_shar'",
            "rule: below_positive_shar}",
        ),
        ("{name: fill, rule: below_positive_share, share: 2}", "share is 2", "share: 2}"),
        ("{name: fill, rule: below_positive_share, shar: 1}", "has no setting 'shar'", "shar: 1"),
        ("{name: fill, rule: top, per_positive: two}", "per_positive is two", "per_positive: two"),
        ("{name: fill, rule: top, fills: [papr]}", "fills 'papr'", "fills: [papr]"),
        ("{name: fill, rule: top, fills: 5}", "`fills` is 5", "fills: 5"),
        ("{name: fill, rule: mix, mixes: {paper: 0}}", "mixes: paper is 0", "mixes: {paper: 0}"),
        ("{name: fill, rule: above_score}", "threshold is missing", "{name: fill, rule: above_score"),
        ("{name: paper, rule: top}", "two strategies are named 'paper'", "{name: paper, rule: top"),
        ("{rule: top}", "it needs at least `name` and `rule`", "strategies:\n"),
        ("top", "it needs at least `name` and `rule`", "strategies:\n"),
    ],
)
def test_a_setting_of_a_strategy(shipped: TinyProject, fill: str, words: str, at: str) -> None:
    shipped.edit("project.yml", FILL, f"    - {fill}\n")
    error = shipped.refused()
    assert words in error.what
    assert error.where == place_of(shipped, at)


@pytest.mark.parametrize(
    ("var", "words"),
    [
        ("strategies: []", "there is no strategy"),
        ("positives_from: both", "positives_from is 'both'"),
        ("click_model: guess", "no macro 'click_guess'"),
        ("fusions: [{name: x, method: rrf, weights: {bm52: 1}}]", "'bm52' is no retriever"),
    ],
)
def test_other_vars_of_project_and_target(shipped: TinyProject, var: str, words: str) -> None:
    shipped.edit("project.yml", "{warehouse: data/warehouse}", f"{{warehouse: data/warehouse, vars: {{{var}}}}}")
    error = shipped.refused()
    assert words in error.what
    assert error.where
    assert (error.where.path.name, error.where.line) == ("project.yml", place_of(shipped, "dev:").line)


def test_of_a_var_on_the_command_line_it_is_said_that_it_stands_there(shipped: TinyProject) -> None:
    error = shipped.refused(strategies=[{"name": "a", "rule": "top", "per_positive": 0}])
    assert error.where == Location(Path("--vars"))


def test_vars_of_a_stage_a_variant_and_a_unit_test(tiny: TinyProject) -> None:
    name = "pipelines/tiny.yml"
    tiny.write(
        "sql/macros/refuse.sql", "{% macro refuse(k) %}{{ raise_error('k.a is ' ~ k.a) if k.a > 1 }}{% endmacro %}"
    )
    tiny.write("sql/report.sql", "select 1 as one {{ refuse(var('k')) }}")
    tiny.edit(name, "- name: report", "- name: report\n    vars: {k: {a: 1}}")
    tiny.load()
    tiny.edit(name, "{a: 1}", "{a: 2}")
    assert tiny.refused().where == place_of(tiny, "k: {a: 2}", name)
    tiny.edit(name, "{a: 2}", "{a: 1}")
    whole = (tiny.root / name).read_text(encoding="utf-8")
    tiny.edit(name, "stages:", "variants: [{name: v, upto: report, set: {report: {vars: {k: {a: 3}}}}}]\nstages:")
    assert tiny.refused().where == place_of(tiny, "k: {a: 3}", name)
    (tiny.root / name).write_text(whole, encoding="utf-8")
    tiny.edit(name, "stages:", "unit_tests: [{name: t, stage: report, vars: {k: {a: 4}}, expect: {rows: []}}]\nstages:")
    assert tiny.refused().where == place_of(tiny, "k: {a: 4}", name)


def test_what_a_template_of_the_user_does_wrong_stands_in_the_template(tiny: TinyProject) -> None:
    tiny.write("sql/report.sql", "select 1 as one\n{{ wrong(var('k')) }}")
    macro = tiny.write("sql/macros/wrong.sql", "{% macro wrong(k) %}\n{{ k.a + 'text' }}\n{% endmacro %}")
    tiny.edit("project.yml", "vars: {least: 2}", "vars: {least: 2, k: {a: 1}}")
    assert tiny.refused().where == Location(macro, 2)
    tiny.write("sql/macros/wrong.sql", "{% macro wrong(k) %}\n{{ raise_error('nobody knows why') }}\n{% endmacro %}")
    tiny.write("sql/report.sql", "select 1 as one\n{{ wrong(5) }}")
    error = tiny.refused()
    assert isinstance(error, TemplateError)
    assert error.where == Location(macro, 2)
