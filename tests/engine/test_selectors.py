"""The forms of a selector, against sets worked out by hand and by brute force."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnm.api import Project
from hnm.engine.selectors import select
from hnm.errors import SelectorError
from hnm.project.graph import Graph

ALL = ("shelf.corpus", "documents", "word_counts", "long_documents", "vectors", "report")
EDGES = {
    "shelf.corpus": (),
    "documents": ("shelf.corpus",),
    "word_counts": ("documents",),
    "long_documents": ("word_counts",),
    "vectors": ("word_counts",),
    "report": ("long_documents", "vectors"),
}


@pytest.fixture(scope="module")
def project(_built_once):
    return Project.load(_built_once)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ([], ALL),
        (["report"], ["report"]),
        (["shelf.corpus"], ["shelf.corpus"]),
        (["+report"], ALL),
        (["+documents"], ["shelf.corpus", "documents"]),
        (["vectors+"], ["vectors", "report"]),
        (["+vectors+"], ["shelf.corpus", "documents", "word_counts", "vectors", "report"]),
        (["1+vectors"], ["word_counts", "vectors"]),
        (["2+report"], ["word_counts", "long_documents", "vectors", "report"]),
        (["documents+1"], ["documents", "word_counts"]),
        (["1+word_counts+1"], ["documents", "word_counts", "long_documents", "vectors"]),
        (["0+report"], ["report"]),
        (["@vectors"], ALL),
        (["@shelf.corpus"], ALL),
        (["*documents"], ["documents", "long_documents"]),
        (["long_*"], ["long_documents"]),
        (["[vr]e*"], ["vectors", "report"]),
        (["*"], ALL),
        (["tag:slow"], ["word_counts"]),
        (["tag:slow+"], ["word_counts", "long_documents", "vectors", "report"]),
        (["kind:source"], ["shelf.corpus"]),
        (["kind:python"], ["word_counts"]),
        (["kind:sql"], ["documents", "long_documents", "vectors", "report"]),
        (["kind:lance"], ["vectors"]),
        (["source:shelf"], ["shelf.corpus"]),
        (["source:shelf+1"], ["shelf.corpus", "documents"]),
        (["path:sql/report.sql"], ["report"]),
        (["path:sql"], ["documents", "long_documents", "vectors", "report"]),
        (["path:pipelines"], ALL),
        (["path:pipelines/tiny.yml"], ALL),
        (["report", "documents"], ["documents", "report"]),
        (["report documents"], ["documents", "report"]),
        (["+vectors,documents+"], ["documents", "word_counts", "vectors"]),
        (["kind:sql,+vectors"], ["documents", "vectors"]),
        (["kind:sql,tag:slow"], []),
        (["report,report"], ["report"]),
    ],
    ids=str,
)
def test_forms(project, chosen, expected):
    assert project.select(chosen) == tuple(expected)


@pytest.mark.parametrize(
    ("chosen", "excluded", "expected"),
    [
        ([], ["report"], ALL[:-1]),
        ([], ["vectors+"], ["shelf.corpus", "documents", "word_counts", "long_documents"]),
        (["+report"], ["+vectors"], ["long_documents", "report"]),
        (["kind:sql"], ["documents", "report"], ["long_documents", "vectors"]),
        (["kind:sql"], ["documents report"], ["long_documents", "vectors"]),
        (["kind:sql"], ["kind:sql,+vectors"], ["long_documents", "report"]),
        (["report"], ["report"], []),
    ],
    ids=str,
)
def test_what_is_left_out(project, chosen, excluded, expected):
    assert project.select(chosen, excluded) == tuple(expected)


@pytest.mark.parametrize(
    ("word", "what", "hint"),
    [
        ("reprt", "'reprt' matches nothing", "'report'"),
        ("zzz", "'zzz' matches nothing", "hnm ls"),
        ("tagg:slow", "method 'tagg'", "'tag'"),
        ("tag:slw", "'tag:slw' matches nothing", "'tag:slow'"),
        ("kind:view", "matches nothing", None),
        ("path:nowhere", "matches nothing", None),
        ("path:", "matches nothing", None),
        ("report,", "cannot read the selector ''", "for example"),
        (",", "cannot read the selector ''", "for example"),
        ("+", "cannot read the selector '+'", "for example"),
        ("++report", "cannot read", "for example"),
        ("+2report", "'2report' matches nothing", None),
        ("report+x", "cannot read", "for example"),
        ("a@b", "cannot read", "for example"),
    ],
)
@pytest.mark.parametrize("where", ["select", "exclude"])
def test_what_cannot_be_read_or_matches_nothing(project, word, what, hint, where):
    with pytest.raises(SelectorError) as caught:
        project.select(["report", word]) if where == "select" else project.select([], [word])
    assert what in caught.value.what
    assert hint is None or hint in str(caught.value.hint)


@pytest.mark.parametrize("chosen", [[""], [" "], ["", "  "]])
def test_an_empty_selector_is_not_everything(project, chosen):
    with pytest.raises(SelectorError, match="is empty"):
        project.select(chosen)
    assert project.select([*chosen, "report"]) == ("report",)
    assert project.select([], chosen) == ALL


def reach(edges, start, steps):
    """All that is reached from `start` in at most so many steps (None for any number)."""
    found, level = {start}, {start}
    while level and steps != 0:
        level = {end for name in level for end in edges[name]} - found
        found |= level
        steps = None if steps is None else steps - 1
    return found


DOWN = {name: [child for child in EDGES if name in EDGES[child]] for name in EDGES}
STEPS = st.none() | st.integers(0, 3)


@given(name=st.sampled_from(ALL), up=st.sampled_from(["", "+"]) | STEPS, down=st.sampled_from(["", "+"]) | STEPS)
def test_any_number_of_steps_in_both_directions(project, name, up, down):
    expected = {name}
    word = name
    if up != "":
        word = f"{up if isinstance(up, int) else ''}+{word}"
        expected |= reach(EDGES, name, up if isinstance(up, int) else None)
    if down != "":
        word = f"{word}+{down if isinstance(down, int) else ''}"
        expected |= reach(DOWN, name, down if isinstance(down, int) else None)
    assert set(project.select([word])) == expected


@given(
    words=st.lists(
        st.sampled_from(["+report", "vectors+", "documents", "kind:sql", "1+report", "@vectors"]),
        min_size=1,
        max_size=3,
    ),
    data=st.data(),
)
def test_union_intersection_and_difference_are_those_of_sets(project, words, data):
    sets = [set(project.select([word])) for word in words]
    assert set(project.select(words)) == set.union(*sets)
    assert set(project.select([" ".join(words)])) == set.union(*sets)
    assert set(project.select([",".join(words)])) == set.intersection(*sets)
    assert set(project.select([], words)) == set(ALL) - set.union(*sets)
    shuffled = data.draw(st.permutations(words))
    assert project.select(shuffled) == project.select(words)


def test_the_order_is_the_graphs(project):
    nodes = project.manifest.nodes
    backwards = dict(reversed(list(nodes.items())))
    graph = Graph({name: node.depends_on for name, node in backwards.items()})
    assert select(nodes, graph, project.manifest.root, ["report documents"]) == ("documents", "report")


def test_sql_that_is_no_stage_says_how_to_make_it_one(tiny):
    tiny.write("sql/orphan.sql", "select 1 as x")
    with pytest.raises(SelectorError, match="there is no stage 'orphan', only its SQL") as error:
        tiny.load().plan(["+orphan"])
    assert error.value.hint == "list `- name: orphan` under `stages:` in a file in pipelines/"
