"""Versions and requirements are those that importlib.metadata tells, for all that is installed here."""

import importlib.metadata

import pytest

from hnm.distributions import requires, version

NAMES = sorted({distribution.name for distribution in importlib.metadata.distributions()})


@pytest.mark.parametrize("name", NAMES)
def test_what_is_told_is_what_importlib_tells(name):
    assert version(name) == importlib.metadata.version(name)
    assert list(requires(name)) == (importlib.metadata.requires(name) or [])


def test_an_egg_has_its_requirements_in_a_file_of_its_own(tmp_path, monkeypatch):
    folder = tmp_path / "old_one-2.0.egg-info"
    folder.mkdir()
    (folder / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: old-one\nVersion: 2.0\n\nVersion: 9\n")
    (folder / "requires.txt").write_text("numpy>=1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert (version("old-one"), requires("old-one")) == ("2.0", ("numpy>=1",))


def test_what_is_not_installed_is_refused():
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        version("no-such-distribution")
