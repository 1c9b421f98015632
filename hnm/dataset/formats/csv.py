"""CSV with a header: every row with every column, lists as JSON."""

from hnm.dataset.files import CsvFile
from hnm.dataset.formats._whole import whole

FORMAT = whole("CSV with a header: every row with every column, lists as JSON", CsvFile, "csv")
