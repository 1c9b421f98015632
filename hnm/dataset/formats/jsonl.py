"""JSON lines: every row with every column."""

from hnm.dataset.formats._whole import whole
from hnm.dataset.shards import JsonLinesFile

FORMAT = whole("JSON lines: every row with every column", JsonLinesFile, "json")
