"""Calling a reader the way the engine does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hnm.context import Context
from hnm.inputs import Inputs
from hnm.transform import Transform

Read = Callable[..., tuple[pa.Table, Context]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """`read(reader, **options)`: the table, and the context with what the reader told it."""

    def call(reader: Transform[Any], **options: Any) -> tuple[pa.Table, Context]:
        context = Context(stage=options["table"], root=tmp_path, workdir=tmp_path / "work")
        batches = reader(Inputs.of(), reader.params(**options), context)
        return pa.Table.from_batches(list(batches)), context

    return call
