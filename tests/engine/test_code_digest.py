"""Which edits of a project's Python make a stage stale."""

import ast
from dataclasses import replace
from itertools import count
from textwrap import dedent

import pytest

from hnm.engine.code_digest import code_digest
from hnm.errors import ProjectError
from hnm.transform import Params, Transform

FILES = {
    "stages.py": '''
        """What the module is for."""
        import json
        from package.deep import inner
        from helpers import double, unused  # why

        LEAST = 3

        def made(inputs, params, context):
            """What it does."""
            # how
            return double(LEAST)
    ''',
    "helpers.py": """
        import other
        def double(x): return 2 * x
        def unused(): return 1
    """,
    "other.py": "X = 1\n",
    "apart.py": "Y = 1\n",
    "package/__init__.py": "Z = 1\n",
    "package/util.py": "U = 1\n",
    "package/deep/__init__.py": "",
    "package/deep/inner.py": """
        from . import sibling
        from ..util import U
        from .sibling import S as renamed
        def late():
            from package.deep import lazy
            return lazy
    """,
    "package/deep/sibling.py": "S = 1\n",
    "package/deep/lazy.py": "L = 1\n",
}
folders = count()


@pytest.fixture
def digest(tmp_path):
    """`digest(file=(old, new), …)`: of a fresh copy of FILES with these replacements."""

    def of(edits=None, main="stages.py", root=None):
        root = root or tmp_path / f"copy{next(folders)}"
        for name, text in FILES.items():
            text = dedent(text).lstrip("\n")
            old, new = (edits or {}).get(name, ("", ""))
            assert old in text
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace(old, new) if old else text, encoding="utf-8")
        return code_digest(loaded(root / main), root)

    return of


class NoParams(Params):
    pass


def loaded(path):
    """A transform whose function says that it stands in `path`, without running the module's imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    namespace: dict[str, object] = {}
    exec(compile(tree, str(path), "exec"), namespace)  # noqa: S102 # the test's own text
    return Transform(namespace["made"], NoParams)


@pytest.mark.parametrize(
    "edits",
    [
        {"stages.py": ("    # how\n", "")},
        {"stages.py": ("  # why", "")},
        {"stages.py": ('    """What it does."""\n', "")},
        {"stages.py": ('"""What the module is for."""', '"""Else."""')},
        {"stages.py": ("double(LEAST)", "double(\n        LEAST,\n    )")},
        {"stages.py": ("LEAST = 3", "LEAST   =   3  # three")},
        {"stages.py": ("import json\n", "\n\nimport json\n")},
        {"helpers.py": ("2 * x", "(2*x)")},
        {"apart.py": ("Y = 1", "Y = 2")},
    ],
    ids=str,
)
def test_comments_docstrings_and_layout_do_not_count(digest, edits):
    assert digest(edits) == digest()


@pytest.mark.parametrize(
    "edits",
    [
        {"stages.py": ("LEAST = 3", "LEAST = 4")},
        {"stages.py": ("def made", "import apart\ndef made")},
        {"helpers.py": ("2 * x", "3 * x")},
        {"helpers.py": ("return 1", "return 2")},
        {"other.py": ("X = 1", "X = 2")},
        {"package/__init__.py": ("Z = 1", "Z = 2")},
        {"package/util.py": ("U = 1", "U = 2")},
        {"package/deep/inner.py": ("return lazy", "return None")},
        {"package/deep/sibling.py": ("S = 1", "S = 2")},
        {"package/deep/lazy.py": ("L = 1", "L = 2")},
    ],
    ids=str,
)
def test_code_that_the_transform_reaches_counts(digest, edits):
    assert digest(edits) != digest()


@pytest.fixture
def with_own_hnm(tmp_path, monkeypatch):
    """The digest of a transform that reads a module of the project and one of a package hnm that lies elsewhere."""

    def of(project, package, helper=1, part=1):
        folder = tmp_path / f"machine{next(folders)}"
        root, hnm = folder / project, folder / package / "hnm"
        for path, text in [
            (hnm / "part.py", f"P = {part}\n"),
            (root / "help.py", f"H = {helper}\n"),
            (root / "stages.py", "from hnm.part import P\nimport help\ndef made(i, p, c): return P\n"),
        ]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr("hnm.engine.code_digest.PACKAGE", hnm)
        return code_digest(loaded(root / "stages.py"), root)

    return of


def test_where_the_project_and_hnm_lie_does_not_count(with_own_hnm):
    assert with_own_hnm("a", "site-packages") == with_own_hnm("z/deep", "site-packages")


@pytest.mark.parametrize("package", ["site-packages", "project"])
def test_modules_of_the_project_and_of_hnm_count_also_where_both_lie_in_one_folder(with_own_hnm, package):
    digests = {with_own_hnm("project", package, helper, part) for helper, part in [(1, 1), (2, 1), (1, 2), (1, 1)]}
    assert len(digests) == 3


def test_another_function_of_the_same_module_is_another_digest(digest, tmp_path):
    digest(root=tmp_path / "one")
    transform = loaded(tmp_path / "one" / "stages.py")

    def other(inputs, params, context):
        return None

    other.__code__ = transform.function.__code__
    assert code_digest(replace(transform, function=other), tmp_path / "one") != code_digest(transform, tmp_path / "one")


def test_a_file_in_another_encoding(digest):
    assert digest({"other.py": ("X = 1\n", "# -*- coding: latin-1 -*-\nX = 1\n")}) == digest()


def test_bytes_of_another_encoding_are_read(digest, tmp_path):
    digest(root=tmp_path / "one")
    (tmp_path / "one" / "other.py").write_bytes("# -*- coding: latin-1 -*-\nX = 'é'\n".encode("latin-1"))
    assert code_digest(loaded(tmp_path / "one" / "stages.py"), tmp_path / "one")


def test_a_helper_with_a_syntax_error_is_refused_with_its_place(digest):
    with pytest.raises(ProjectError, match=r"other\.py") as caught:
        digest({"other.py": ("X = 1", "Y = 0\nX = = 1")})
    assert (caught.value.where.path.name, caught.value.where.line) == ("other.py", 2)


def test_modules_from_elsewhere_count_by_their_version_instead(digest):
    assert digest({"stages.py": ("import json", "import numpy")}) != digest()
