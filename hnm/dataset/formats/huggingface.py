"""A folder for Hugging Face `datasets`: Parquet, one file or more for each split, which the card names."""

from hnm.dataset.files import ParquetFile
from hnm.dataset.formats._whole import whole

FORMAT = whole("Hugging Face `datasets`: Parquet with every column, splits named in the card", ParquetFile, "parquet")
