"""Amounts as people write them in YAML."""

import re
from typing import Annotated

from pydantic import AfterValidator


def _amount_of_memory(text: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+)?\s*(KB|MB|GB|TB|KiB|MiB|GiB|TiB)", text):
        raise ValueError("an amount of memory is meant, such as 2GB")
    return text


AmountOfMemory = Annotated[str, AfterValidator(_amount_of_memory)]
