"""What a declaration of a transform may say."""

from typing import Any

import pydantic
import pytest

from hnm.transform import Params, transform


class Plain(pydantic.BaseModel):
    """Lets unknown keys pass."""


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"params": None}, "derived from hnm.transform.Params, not None"),
        ({"params": Plain}, "derived from hnm.transform.Params"),
        ({"inputs": ("texts")}, "inputs must be a tuple: ('texts',)"),
        ({"version_by": "id"}, "version_by must be a tuple: ('id',)"),
        ({"uses": "some"}, "uses must be one of share, all, not 'some'"),
        ({"inputs": ("texts",), "changes": ("txts",)}, "changes must name inputs, and 'txts' is none"),
    ],
)
def test_a_declaration_that_would_be_misread_is_refused(declared: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError) as caught:
        transform(**{"params": Params} | declared)(lambda inputs, params, context: iter(()))
    assert words in str(caught.value)
