"""One fixture: a database in which SQL stages are built from tables written by hand."""

import pytest
from sql_stages import Stages


@pytest.fixture
def stages() -> Stages:
    return Stages()
