"""Vars that are misspelt."""

from hnm.errors import ProjectError


def test_a_var_that_is_almost_one_that_is_read_is_refused_where_it_stands(tiny):
    tiny.edit("project.yml", "vars: {least: 2}", "vars: {least: 2, lesst: 3}")
    error = tiny.refused()
    assert (error.what, error.hint) == ("nothing reads the var 'lesst'", "did you mean 'least'?")
    assert str(error.where) == f"{tiny.root / 'project.yml'}:2:18"


def test_so_is_one_of_the_command_line_and_of_a_target(tiny):
    done = tiny.hnm("plan", "--vars", "{laest: 3}")
    assert (done.returncode, "nothing reads the var 'laest'" in done.stderr) == (1, True), done.stderr
    tiny.edit("project.yml", "vars: {least: 3}", "vars: {leasts: 3}")
    assert isinstance(tiny.refused(target="prod"), ProjectError)
    tiny.load()


def test_what_may_be_read_under_other_circumstances_and_what_is_like_nothing_may_stay(tiny):
    tiny.edit("project.yml", "vars: {least: 2}", "vars: {least: 2, lease: 3, colour: red}")
    tiny.edit("sql/report.sql", "select count", "select {{ var('lease') if false else 1 }} as one, count")
    tiny.load()


def test_so_is_one_of_a_stage_and_of_a_unit_test(tiny):
    tiny.edit("pipelines/tiny.yml", "- name: report", "- {name: report, vars: {laest: 9}}")
    error = tiny.refused()
    assert (error.what, error.hint) == ("nothing reads the var 'laest'", "did you mean 'least'?")
    assert str(error.where) == f"{tiny.root / 'pipelines/tiny.yml'}:18:27"
    tiny.edit("pipelines/tiny.yml", "laest", "least")
    entry = "name: a, stage: long_documents, vars: {lest: 9}, given: [], expect: {rows: []}"
    path = tiny.write("pipelines/unit.yml", f"unit_tests: [{{{entry}}}]")
    error = tiny.refused()
    assert (error.what, error.where.path) == ("nothing reads the var 'lest'", path)
