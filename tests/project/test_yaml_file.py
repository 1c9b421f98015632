"""YAML with places."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hnm.errors import Location, ProjectError
from hnm.project.yaml_file import read_yaml

SCALARS = st.one_of(st.integers(-9, 99), st.booleans(), st.none(), st.text("abü: -#'\"\n", max_size=6))
KEYS = st.text("abcü", min_size=1, max_size=3)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)


@pytest.fixture
def write(tmp_path):
    def write_bytes(content):
        path = tmp_path / "a.yml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_bytes


def paths(tree, keys=()):
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield (*keys, key)
            yield from paths(value, (*keys, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield (*keys, index)
            yield from paths(value, (*keys, index))


@given(tree=TREES, flow=st.sampled_from([None, True, False]))
def test_every_key_and_item_has_its_place(tmp_path_factory, tree, flow):
    path = tmp_path_factory.mktemp("yaml") / "a.yml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=True, default_flow_style=flow), encoding="utf-8")
    file = read_yaml(path)
    assert file.data == tree
    assert set(file.places) == set(paths(tree))
    lines = path.read_text(encoding="utf-8").split("\n")
    for keys, place in file.places.items():
        if isinstance(keys[-1], str):
            assert lines[place.line - 1][place.column - 1 :].lstrip("? '\"").startswith(keys[-1])


def test_places_by_hand(write):
    file = read_yaml(write("a: 1\nb:\n  - c: [x, y]\n    d: 2\n"))
    assert [(file.place(keys).line, file.place(keys).column) for keys in [("a",), ("b",), ("b", 0), ("b", 0, "d")]] == [
        (1, 1),
        (2, 1),
        (3, 5),
        (4, 5),
    ]
    assert (file.place(("b", 0, "c", 1)).line, file.place(("b", 0, "c", 1)).column) == (3, 12)


def test_the_place_of_what_is_missing_is_its_parents(write):
    file = read_yaml(write("a:\n  b: 1\n"))
    assert file.place(("a", "nope", 3)).line == 1
    assert file.place(("nope",)) == Location(file.path)


def test_an_empty_file_is_nothing(write):
    assert read_yaml(write("# only a comment\n")).data is None


def test_anchors_and_merge_keys_work(write):
    assert read_yaml(write("base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}\n")).data["more"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "'a' stands twice"),
        ("x:\n  - {k: 1, k: 2}\n", 2, "'k' stands twice"),
        ("a: [1, 2\n", 2, "not valid YAML"),
        ("a: 1\n b: 2\n", 2, "not valid YAML"),
        ("a: 'open\n", 2, "not valid YAML"),
        ("a: *nope\n", 1, "undefined alias"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "could not determine a constructor"),
        ("? [a]\n: 1\n", 1, "unhashable"),
        ("a: 1\n---\nb: 2\n", 2, "single document"),
        ("a: \ttab\n", None, None),
        ("a: 1\nb: 2020-13-45\n", 2, "month must be in 1..12"),
        ("a: 1\nb: !!int many\n", 2, "many"),
        ("a: &x [*x]\n", None, "too deep"),
        ("a: 1\nb: \x01\n", None, "not valid YAML"),
        (b"a: \xff\n", None, "not UTF-8"),
        ("a: " + "[" * 3000 + "]" * 3000, None, "too deep"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(write, content, line, words):
    path = write(content)
    if words is None:
        assert read_yaml(path).data == {"a": "tab"}
        return
    with pytest.raises(ProjectError, match=words) as caught:
        read_yaml(path)
    assert caught.value.where.path == path
    if line:
        assert caught.value.where.line == line


def test_a_missing_file_and_a_folder_in_its_place(tmp_path):
    with pytest.raises(ProjectError, match=r"no\.yml is missing"):
        read_yaml(tmp_path / "no.yml")
    (tmp_path / "folder.yml").mkdir()
    with pytest.raises(ProjectError, match=r"cannot read folder\.yml"):
        read_yaml(tmp_path / "folder.yml")


def test_aliases_that_multiply_end_soon(write):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ProjectError, match="too large"):
        read_yaml(write("\n".join(lines)))


def test_places_are_those_of_the_file_in_words():
    assert str(Location(Path("a.yml"), 3, 5)) == "a.yml:3:5"
    assert str(Location(Path("a.yml"))) == "a.yml"
