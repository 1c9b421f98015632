"""What the retrievers share: top-k lists, exact cosines, stable hashes, and rows of candidates."""
