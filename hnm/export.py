"""Write a table of the warehouse in the form that other tools read: TREC runs and qrels, BEIR folders."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hnm.errors import StageError
from hnm.warehouse.query import query

if TYPE_CHECKING:
    import pyarrow as pa

    from hnm.api import Project
