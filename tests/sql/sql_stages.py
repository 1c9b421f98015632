"""SQL stages on small tables: rendered by the project's own Jinja, run by an own DuckDB in memory."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
from triplets_in_memory import triplets_of

from hnm.project.templating import Rendering, Templates

SQL = Path(__file__).parents[2] / "sql"

COLUMNS = {
    "collection.corpus": "doc_id varchar, title varchar, text varchar, metadata varchar",
    "collection.queries": "query_id varchar, text varchar, split varchar",
    "collection.judgments": "query_id varchar, doc_id varchar, grade integer, split varchar",
    "clicks.impressions": (
        "session_id varchar, query_id varchar, doc_id varchar, position integer, clicked boolean, "
        "dwell_seconds float, shown_at timestamp, ranker varchar"
    ),
    "corpus": "doc_id varchar, title varchar, text varchar, metadata varchar",
    "queries": "query_id varchar, text varchar, split varchar",
    "judgments": "query_id varchar, doc_id varchar, grade integer, split varchar",
    "texts": "kind varchar, id varchar, text varchar, text_hash varchar, normalized_hash varchar",
    "impressions": (
        "session_id varchar, query_id varchar, doc_id varchar, position integer, clicked boolean, dwell_seconds float"
    ),
    "click_evidence": (
        "query_id varchar, doc_id varchar, impressions bigint, clicks bigint, distinct_sessions bigint, "
        "clicked_sessions bigint, mean_position double, mean_dwell_seconds double, expected_examinations double, "
        "ctr double, attractiveness double, lower_bound double"
    ),
    "positives": "query_id varchar, doc_id varchar, positive_rank integer, weight double, split varchar",
    "scored_candidates": (
        "query_id varchar, positive_id varchar, doc_id varchar, d_query_doc float, d_query_positive float, "
        "d_positive_doc float, rank_bm25 integer, rank_random integer, is_known_positive boolean, "
        "is_positive_copy boolean, split varchar, fused_score float, rrf double, agreement integer, "
        "lexical_overlap double, rank_minilm integer, score_bm25 float, score_minilm float"
    ),
    "candidates": "query_id varchar, doc_id varchar, retriever varchar, rank integer, score float",
}
VARS: dict[str, Any] = {"positives_from": "judgments", "retrievers": ["bm25", "minilm"], "evaluated": []}

Row = dict[str, Any]


class Stages:
    """Tables by hand, stages by their SQL files."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(":memory:", config={"threads": 2})
        self.templates = Templates()

    def give(self, name: str, rows: Iterable[tuple[Any, ...]] = (), columns: str | None = None) -> None:
        """Make the table `name` (a stage, or `source.table`) of these rows; columns may end early, the rest is null."""
        if "." in name:
            self.connection.execute(f"create schema if not exists {name.split('.')[0]}")
        self.connection.execute(f"create or replace table {name} ({columns or COLUMNS[name]})")
        width = len((columns or COLUMNS[name]).split(","))
        values = [[*row, *[None] * (width - len(row))] for row in rows]
        if values:
            self.connection.executemany(f"insert into {name} values ({', '.join('?' * width)})", values)

    def give_texts(self, documents: dict[str, str], queries: dict[str, str]) -> None:
        """Make `texts` by its own stage."""
        self.give("corpus", [(name, "", text) for name, text in documents.items()])
        self.give("queries", [(name, text, "train") for name, text in queries.items()])
        self.build("texts")

    def give_vectors(self, documents: dict[str, list[float]], queries: dict[str, list[float]]) -> None:
        """Make `ensemble`, with vectors of a fixed size as Lance gives them."""
        size = len(next(iter({**documents, **queries}.values())))
        rows = [("document", name, vector) for name, vector in documents.items()]
        rows += [("query", name, vector) for name, vector in queries.items()]
        self.connection.execute(f"create or replace table ensemble (kind varchar, id varchar, vector float[{size}])")
        self.connection.executemany("insert into ensemble values (?, ?, ?)", rows)

    def render(self, name: str, **variables: Any) -> str:
        path = SQL / f"{name}.sql"
        return self.templates.render_sql(path.read_text(), path, Rendering(name, {**VARS, **variables}))

    def macro(self, call: str, **variables: Any) -> str:
        """The SQL that a macro call such as `gini('x', 'place')` gives."""
        return self.templates.render_sql(
            "{{ " + call + " }}", SQL / "test.sql", Rendering("test", {**VARS, **variables})
        )

    def value(self, expression: str) -> Any:
        row = self.connection.execute(f"select {expression}").fetchone()
        assert row
        return row[0]

    def build(self, name: str, **variables: Any) -> list[Row]:
        """Build a stage as a table of its name; its rows, sorted. `right_answers` come with `scored_candidates`."""
        if name == "scored_candidates":
            self.build("right_answers", **variables)
        if name == "triplets":
            self._build_triplets()
        else:
            self.connection.execute(f"create or replace table {name} as {self.render(name, **variables)}")
        return self.rows(f"select * from {name} order by all")

    def _build_triplets(self) -> None:
        """The one stage in between that is a transform."""
        self.connection.execute(f"create or replace table triplet_ids as {self.render('triplet_ids')}")
        rows, texts = (self.connection.table(name).to_arrow_table() for name in ("triplet_ids", "texts"))
        self.connection.register("made", triplets_of(rows, texts))
        self.connection.execute("create or replace table triplets as from made")

    def rows(self, sql: str) -> list[Row]:
        rows: list[Row] = self.connection.sql(sql).to_arrow_table().to_pylist()
        return rows


def select(rows: list[Row], *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of rows, as tuples."""
    return [tuple(row[column] for column in columns) for row in rows]
