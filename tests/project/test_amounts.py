"""Amounts in YAML."""

import pytest
from tiny_project import TinyProject


@pytest.mark.parametrize("amount", ["lots", "2", "GB", "-2GB", "2 G", "80%"])
def test_an_amount_of_memory_that_is_none_is_told_in_words(tiny: TinyProject, amount: str) -> None:
    tiny.edit("project.yml", "500MB", f"'{amount}'")
    error = tiny.refused()
    assert error.what == f"settings.memory_limit: an amount of memory is meant, such as 2GB, not '{amount}'"
    assert str(error.where) == f"{tiny.root / 'project.yml'}:6:22"


@pytest.mark.parametrize("amount", ["1.5GB", "2 GB", "800MiB"])
def test_amounts_of_memory(tiny: TinyProject, amount: str) -> None:
    tiny.edit("project.yml", "500MB", amount)
    assert tiny.load().manifest.settings.memory_limit == amount
