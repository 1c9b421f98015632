"""A folder for Hugging Face `datasets`: Parquet, one file or more for each split, which the card names."""

from hnm.dataset.formats._whole import whole
from hnm.dataset.shards import ParquetFile

FORMAT = whole("Hugging Face `datasets`: Parquet with every column, splits named in the card", ParquetFile, "parquet")
