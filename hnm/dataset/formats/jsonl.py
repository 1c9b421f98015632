"""JSON lines: every row with every column."""

from hnm.dataset.files import JsonLinesFile
from hnm.dataset.formats._whole import whole

FORMAT = whole("JSON lines: every row with every column", JsonLinesFile, "json")
