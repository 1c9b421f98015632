"""Search with a project's retrievers, ensemble and reranker: texts that no table holds, one at a time."""
