"""What is kept of a Python file says the same as the file, and a cache that is damaged or gone costs only time."""

from pathlib import Path

import pytest

from hnm.engine import module_facts as facts_of_modules
from hnm.engine.module_facts import Import, module_facts
from hnm.errors import ProjectError

CODE = '''"""A docstring."""
import os.path
from . import near
from ..far import one, two


def function():
    """Another."""
    from late import thing
'''


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of its own; what this process remembers is forgotten."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    module_facts.cache_clear()
    yield tmp_path / "cache" / "hnm" / "modules"
    module_facts.cache_clear()


def written(tmp_path: Path, code: str = CODE) -> Path:
    path = tmp_path / "module.py"
    path.write_text(code)
    module_facts.cache_clear()
    return path


def unparsable(*_):
    raise AssertionError("the file was parsed")


def test_imports_are_found_wherever_they_stand(cache, tmp_path):
    found = module_facts(written(tmp_path)).imports
    assert set(found) == {
        Import(0, "os.path", ()), Import(1, "", ("near",)),
        Import(2, "far", ("one", "two")), Import(0, "late", ("thing",)),
    }  # fmt: skip


def test_a_file_is_parsed_once_until_its_text_changes(cache, tmp_path, monkeypatch):
    first = module_facts(written(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(facts_of_modules.ast, "parse", unparsable)
        assert module_facts(written(tmp_path)) == first
    commented = module_facts(written(tmp_path, CODE + "# a comment\n"))
    assert commented == first
    assert module_facts(written(tmp_path, CODE + "x = 1\n")).digest != first.digest


def test_docstrings_do_not_count(cache, tmp_path):
    first = module_facts(written(tmp_path))
    assert module_facts(written(tmp_path, CODE.replace("Another", "A better one"))).digest == first.digest


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"digest": 1}', '{"digest": "", "imports": [1]}', "\0"])
def test_what_is_damaged_is_read_anew(cache, tmp_path, kept):
    first = module_facts(written(tmp_path))
    (file,) = cache.iterdir()
    file.write_text(kept)
    assert module_facts(written(tmp_path)) == first
    assert file.read_text() != kept


def test_nothing_can_be_kept(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert module_facts(written(tmp_path)).digest


def test_a_file_that_cannot_be_parsed_is_an_error_each_time(cache, tmp_path):
    for _ in range(2):
        with pytest.raises(ProjectError, match=r"module.py: (.|\n)*module\.py:1"):
            module_facts(written(tmp_path, "def"))
    assert not list(cache.glob("*")) if cache.exists() else True
