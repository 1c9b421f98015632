"""Compiled templates are kept for the next invocation, and never stand between a user and the right SQL."""

from pathlib import Path

import jinja2
import pytest
from jinja2.sandbox import SandboxedEnvironment

from hnm.project import template_cache


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(template_cache, "_cache", template_cache._cache.__wrapped__)
    return tmp_path / "cache" / "hnm" / "templates"


def rendered(environment: jinja2.Environment, text: str, path: Path) -> str:
    code = template_cache.compiled(environment, text, path)
    return jinja2.Template.from_code(environment, code, {}).render()


def test_what_was_compiled_once_is_not_compiled_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rendered(SandboxedEnvironment(), "{{ 1 + 1 }}", Path("a.sql")) == "2"
    again = SandboxedEnvironment()
    monkeypatch.setattr(again, "compile", None)
    assert rendered(again, "{{ 1 + 1 }}", Path("a.sql")) == "2"


def test_another_text_or_file_is_another_template(folder: Path) -> None:
    environment = SandboxedEnvironment()
    assert rendered(environment, "one", Path("a.sql")) == "one"
    assert rendered(environment, "two", Path("a.sql")) == "two"
    assert template_cache.compiled(environment, "one", Path("b.sql")).co_filename == "b.sql"


def test_a_damaged_file_is_written_anew(folder: Path) -> None:
    environment = SandboxedEnvironment()
    rendered(environment, "one", Path("a.sql"))
    (kept,) = folder.iterdir()
    whole = kept.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:20] + b"\xff" * 40):
        kept.write_bytes(damaged)
        assert rendered(environment, "one", Path("a.sql")) == "one"
        assert kept.read_bytes() == whole


def test_without_a_place_to_keep_them_templates_work(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert rendered(SandboxedEnvironment(), "one", Path("a.sql")) == "one"


def test_a_syntax_error_is_not_kept(folder: Path) -> None:
    with pytest.raises(jinja2.TemplateSyntaxError):
        template_cache.compiled(SandboxedEnvironment(), "{{ ", Path("a.sql"))
    assert not list(folder.iterdir())


def test_only_the_user_may_write_there(folder: Path) -> None:
    rendered(SandboxedEnvironment(), "one", Path("a.sql"))
    assert folder.stat().st_mode & 0o077 == 0
