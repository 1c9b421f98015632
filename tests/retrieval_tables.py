"""What the tests of retrievers share: a collection as tables, and candidates as lists."""

import pyarrow as pa

Texts = dict[str, str | None]


def tables(documents: Texts, queries: Texts, titles: Texts | None = None) -> dict[str, pa.Table]:
    def column(values: object) -> pa.Array:
        return pa.array(values, pa.string())

    return {
        "corpus": pa.table(
            {
                "doc_id": column(documents),
                "title": column([(titles or {}).get(name, "") for name in documents]),
                "text": column(documents.values()),
            }
        ),
        "queries": pa.table({"query_id": column(queries), "text": column(queries.values())}),
    }


def lists(candidates: pa.Table) -> dict[str, list[tuple[str, float]]]:
    found: dict[str, list[tuple[str, float]]] = {}
    for row in candidates.to_pylist():
        found.setdefault(row["query_id"], []).append((row["doc_id"], row["score"]))
        assert row["rank"] == len(found[row["query_id"]])
    return found
