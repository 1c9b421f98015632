"""CSV with a header: every row with every column, lists as JSON."""

from hnm.dataset.formats._whole import whole
from hnm.dataset.shards import CsvFile

FORMAT = whole("CSV with a header: every row with every column, lists as JSON", CsvFile, "csv")
