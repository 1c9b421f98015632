"""Order, circles and reach of the graph, against networkx and a search by hand."""

from itertools import pairwise
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnm.errors import Location, ProjectError
from hnm.project.graph import Graph

DIAMOND = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "alone": ()}


@st.composite
def acyclic(draw):
    """Names in any order, each reading only names that stand before it in a hidden order."""
    size = draw(st.integers(1, 9))
    edges = {f"n{i}": [f"n{j}" for j in range(i) if draw(st.booleans())] for i in range(size)}
    return {name: edges[name] for name in draw(st.permutations(sorted(edges)))}


@st.composite
def any_graph(draw):
    names = [f"n{i}" for i in range(draw(st.integers(1, 6)))]
    return {name: draw(st.lists(st.sampled_from(names), max_size=2, unique=True)) for name in names}


def steps_up(edges, name):
    """Each ancestor and the fewest steps to it, found level by level."""
    found, level, depth = {}, {name}, 0
    while level:
        depth += 1
        level = {parent for child in level for parent in edges[child]} - found.keys() - {name}
        found |= dict.fromkeys(level, depth)
    return found


@given(edges=acyclic())
def test_parents_come_before_children(edges):
    order = Graph(edges).order
    assert sorted(order) == sorted(edges)
    place = {name: index for index, name in enumerate(order)}
    assert all(place[parent] < place[child] for child, parents in edges.items() for parent in parents)


@given(edges=acyclic())
def test_the_order_is_always_the_same(edges):
    assert Graph(edges).order == Graph({name: list(reversed(parents)) for name, parents in edges.items()}).order


def test_where_the_graph_leaves_a_choice_the_given_order_counts():
    assert Graph({"z": (), "a": (), "m": ("z",)}).order == ("z", "a", "m")


@given(edges=acyclic(), depth=st.none() | st.integers(0, 4))
def test_ancestors_and_descendants(edges, depth):
    graph = Graph(edges)
    oracle = nx.DiGraph((parent, child) for child, parents in edges.items() for parent in parents)
    oracle.add_nodes_from(edges)
    for name in edges:
        near = {other for other, steps in steps_up(edges, name).items() if depth is None or steps <= depth}
        assert graph.ancestors(name, depth) == near
        if depth is None:
            assert graph.ancestors(name) == nx.ancestors(oracle, name)
            assert graph.descendants(name) == nx.descendants(oracle, name)
        assert graph.descendants(name, depth) == {other for other in edges if name in graph.ancestors(other, depth)}


@given(edges=any_graph())
def test_a_circle_is_refused_and_named(edges):
    oracle = nx.DiGraph((parent, child) for child, parents in edges.items() for parent in parents)
    if nx.is_directed_acyclic_graph(oracle):
        Graph(edges)
        return
    with pytest.raises(ProjectError) as caught:
        Graph(edges)
    circle = caught.value.what.rpartition(": ")[2].split(" -> ")
    assert circle[0] == circle[-1]
    assert len(circle) > 1
    assert all(parent in edges[child] for parent, child in pairwise(circle))


def test_a_circle_names_the_place_of_its_first_stage():
    with pytest.raises(ProjectError) as caught:
        Graph({"a": ("a",)}, {"a": Location(Path("x.yml"), 3)})
    assert caught.value.where == Location(Path("x.yml"), 3)


def test_by_hand():
    graph = Graph(DIAMOND)
    assert graph.order == ("a", "b", "c", "d", "alone")
    assert graph.ancestors("d") == {"a", "b", "c"}
    assert graph.ancestors("d", 1) == {"b", "c"}
    assert graph.descendants("a", 1) == {"b", "c"}
    assert graph.descendants("alone") == set()
