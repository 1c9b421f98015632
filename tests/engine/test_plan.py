"""What a run will do and why, decided from components and state alone."""

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnm.engine.plan import complete, make_plan
from hnm.errors import Location, SourceError
from hnm.project.config import IncrementalConfig, StageConfig
from hnm.project.graph import Graph
from hnm.project.manifest import Node, SqlText
from hnm.warehouse.state import Materialization
from hnm.warehouse.versions import RowChanges, Versions

# base -> left, right -> top; alone
EDGES = {"base": (), "left": ("base",), "right": ("base",), "top": ("left", "right"), "alone": ()}


def node(name, depends_on):
    work = SqlText(path=None, template="", compiled="")
    return Node(name, "sql", StageConfig(name=name), Location(None), "table", depends_on, work)


NODES = {name: node(name, parents) for name, parents in EDGES.items()}
COMPONENTS = {name: {"sql": name} for name in NODES}


def built(name, components, version="v1"):
    return Materialization(name, "run", "fingerprint", components, version, "table", None, None, 1, {})


def all_built():
    """The state after everything was built from COMPONENTS."""
    state = {}
    for name in EDGES:
        state[name] = built(name, complete(NODES[name], COMPONENTS[name], state))
    return state


def planned(state, selected=tuple(EDGES), components=COMPONENTS, **options):
    plan = make_plan(NODES, selected, components, state, **options)
    assert tuple(entry.node.name for entry in plan.entries) == tuple(selected)
    return {entry.node.name: (entry.status, entry.reason) for entry in plan.entries}


def changed(name, **components):
    return {**COMPONENTS, name: {**COMPONENTS[name], **components}}


def test_what_was_never_built_runs():
    assert set(planned({}).values()) == {("run", "never built")}


def test_what_was_built_from_the_same_is_fresh():
    assert set(planned(all_built()).values()) == {("fresh", "")}
    assert make_plan(NODES, EDGES, COMPONENTS, all_built()).stale() == ()


def test_a_change_runs_the_stage_and_checks_what_is_below():
    assert planned(all_built(), components=changed("left", sql="new")) == {
        "base": ("fresh", ""),
        "left": ("run", "the SQL changed"),
        "right": ("fresh", ""),
        "top": ("check", "after left"),
        "alone": ("fresh", ""),
    }


def test_what_is_below_a_check_is_checked():
    found = planned(all_built(), components=changed("base", sql="new"))
    assert found["left"] == ("check", "after base")
    assert found["top"] == ("check", "after left, right")


def test_a_changed_var_is_named_with_both_values():
    state = all_built()
    state["left"] = built("left", {**state["left"].components, "var k": "1"})
    assert planned(state, components=changed("left", **{"var k": "2"}))["left"] == ("run", "var k 1 -> 2")


def test_an_input_of_another_version_runs_the_stage():
    state = all_built()
    state["base"] = replace(state["base"], data_version="v2")
    assert planned(state, ["left"]) == {"left": ("run", "input base changed")}
    assert planned(state, ["top"]) == {"top": ("fresh", "")}


def test_row_counts_are_told_where_they_are_known():
    state = all_built()
    state["base"] = replace(state["base"], data_version="v2")
    versions = Versions({"v1": 10, "v2": 1200})
    assert planned(state, ["left"], versions=versions)["left"][1] == "input base changed (10 -> 1,200 rows)"


def test_changed_rows_are_told_and_are_what_a_stage_by_key_will_process():
    state = all_built()
    state["base"] = replace(state["base"], data_version="v2", row_count=1200)
    versions = Versions({"v1": 1198, "v2": 1200}, {("v1", "v2"): RowChanges(3, 1000, 1)})
    (entry,) = make_plan(NODES, ["left"], COMPONENTS, state, versions=versions).entries
    assert (entry.reason, entry.rows) == ("input base +3 ~1,000 -1 rows", 1200)
    by_key = StageConfig(name="left", incremental=IncrementalConfig(key="n", inputs={"base": "n"}))
    nodes = {**NODES, "left": replace(NODES["left"], config=by_key)}
    (entry,) = make_plan(nodes, ["left"], COMPONENTS, state, versions=versions).entries
    assert entry.rows == 1004
    (entry,) = make_plan(nodes, ["left"], COMPONENTS, state, full_refresh=True, versions=versions).entries
    assert entry.rows == 1200
    (entry,) = make_plan(nodes, ["left"], changed("left", sql="new"), state, versions=versions).entries
    assert entry.rows == 1200
    assert make_plan(NODES, ["base", "left"], changed("base", sql="new"), state).entries[1].rows is None


def test_a_stage_whose_input_exists_nowhere_is_blocked_and_all_below_it():
    found = planned({}, ["left", "top"])
    assert found["left"] == ("blocked", "needs base, never built and not selected")
    assert found["top"][0] == "blocked"


def test_a_stage_whose_input_is_built_but_not_selected_runs():
    assert planned({"base": built("base", {"sql": "old"})}, ["left"]) == {"left": ("run", "never built")}


def test_an_old_stage_whose_input_was_removed_is_blocked():
    state = all_built()
    del state["base"]
    assert planned(state, ["left"])["left"][0] == "blocked"


def test_full_refresh_runs_what_is_fresh_but_not_what_is_blocked():
    found = planned(all_built(), full_refresh=True)
    assert set(found.values()) == {("run", "--full-refresh")}
    assert planned({}, ["top"], full_refresh=True)["top"][0] == "blocked"
    assert all(entry.full_refresh for entry in make_plan(NODES, EDGES, COMPONENTS, {}, full_refresh=True).entries)


def test_facts_are_kept_with_the_entry():
    plan = make_plan(NODES, ["base"], COMPONENTS, {}, facts={"base": {"files": 1}})
    assert plan.entries[0].facts == {"files": 1}


@given(data=st.data())
def test_only_what_changed_and_what_is_below_is_stale(data):
    stale = data.draw(st.sets(st.sampled_from(sorted(EDGES))))
    components = {name: {"sql": f"{name} new" if name in stale else name} for name in EDGES}
    graph = Graph(EDGES)
    below = set().union(*(graph.descendants(name) for name in stale)) - stale
    found = planned(all_built(), components=components)
    assert {name for name, (status, _) in found.items() if status == "run"} == stale
    assert {name for name, (status, _) in found.items() if status == "check"} == below


@given(built_ones=st.sets(st.sampled_from(sorted(EDGES))), chosen=st.sets(st.sampled_from(sorted(EDGES))))
def test_nothing_runs_without_its_inputs(built_ones, chosen):
    state = {name: done for name, done in all_built().items() if name in built_ones}
    selected = [name for name in Graph(EDGES).order if name in chosen]
    found = planned(state, selected)
    available = set(state)
    for name in selected:
        if found[name][0] != "blocked":
            assert set(EDGES[name]) <= available
            available.add(name)
        else:
            assert not set(EDGES[name]) <= {other for other in available if found.get(other, ("",))[0] != "blocked"}


@pytest.mark.parametrize("name", EDGES)
def test_complete_names_every_input(name):
    found = complete(NODES[name], {"sql": "x"}, all_built())
    assert found == {"sql": "x", **{f"input {parent}": "v1" for parent in EDGES[name]}}


def test_a_file_whose_name_cannot_be_stored_is_refused(tiny):
    (tiny.root / os.fsdecode(b"data/caf\xe9.csv")).write_text("doc_id,title,text\nx,y,z\n")
    tiny.edit("pipelines/tiny.yml", "data/corpus.csv", "data/*.csv")
    with pytest.raises(SourceError, match=r"name of a file is not valid UTF-8: b'.*caf.xe9\.csv'"):
        tiny.load().plan()
