"""The README of a trained model: what it is, how to use it, and what made it."""

from collections.abc import Mapping
from typing import Any

import yaml

_CARD = """---
{front_matter}---

# {title}

A cross-encoder (reranker): it reads a query and a document together and gives a score, a logit; higher is better.

```python
from sentence_transformers import CrossEncoder

model = CrossEncoder("path/to/this/folder")
scores = model.predict([("a query", "a document"), ("a query", "another document")])
```

## Recipe

| | |
|---|---|
{rows}
"""


def model_card(title: str, base_model: str, recipe: Mapping[str, Any]) -> str:
    """Markdown with the front matter that model hubs read. `recipe`: facts by name, in the order to show them."""
    front_matter = yaml.safe_dump(
        {
            "library_name": "sentence-transformers",
            "pipeline_tag": "text-ranking",
            "base_model": base_model,
            "tags": ["sentence-transformers", "cross-encoder", "reranker", "hnm"],
        },
        sort_keys=False,
    )
    rows = "\n".join(f"| {name.replace('_', ' ')} | {_cell(value)} |" for name, value in recipe.items())
    return _CARD.format(front_matter=front_matter, title=title, rows=rows)


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {number}" for name, number in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace("|", "\\|")
