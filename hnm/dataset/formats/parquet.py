"""Parquet: every row with every column."""

from hnm.dataset.formats._whole import whole
from hnm.dataset.shards import ParquetFile

FORMAT = whole("Parquet: every row with every column", ParquetFile, "parquet")
