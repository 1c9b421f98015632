"""Parquet: every row with every column."""

from hnm.dataset.files import ParquetFile
from hnm.dataset.formats._whole import whole

FORMAT = whole("Parquet: every row with every column", ParquetFile, "parquet")
