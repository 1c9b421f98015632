"""Secrets become `***`."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hnm.errors import HnmError, Location
from hnm.masking import SHORTEST, mask_error, masked

secrets = st.lists(st.text("abc'\\\n", min_size=SHORTEST, max_size=8), max_size=4)


@given(st.text("abc'\\\n", max_size=40), secrets)
def test_no_secret_is_left(text, hidden):
    assert not any(secret in masked(text, hidden) for secret in hidden)


def test_the_longest_goes_first():
    assert masked("password123 and password", ["password", "password123"]) == "*** and ***"


def test_short_values_are_no_secrets():
    assert masked("12 rows", ["1", "", "12"]) == "12 rows"


def test_a_secret_is_found_with_its_escapes():
    assert masked(repr("it's a\nsecret"), ["it's a\nsecret"]) == '"***"'


def test_all_words_of_an_error_are_masked():
    place = Location(Path("/folder/secret/file.csv"), 3, 4)
    error = HnmError("what secret", where=place, why="why secret", hint="hint secret")
    mask_error(error, ["secret"])
    assert (error.what, error.why, error.hint) == ("what ***", "why ***", "hint ***")
    assert str(error.where) == "/folder/***/file.csv:3:4"
    mask_error(HnmError("nothing else"), ["secret"])
