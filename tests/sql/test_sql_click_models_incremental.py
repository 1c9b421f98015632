"""The stages of clicks in a project that is run again and again: brought up to date is the same as built in full."""

import csv
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from sql_stages import SQL
from tiny_project import TinyProject

PIPELINES = SQL.parent / "pipelines"
CLICKED = (
    "excluded_sessions", "click_counts", "click_propensities", "click_evidence", "later_click_evidence",
    "click_preferences", "judgments", "positives",
)  # fmt: skip
FIELDS = ("session_id", "query_id", "doc_id", "position", "clicked", "dwell_seconds", "shown_at")
DAYS = ("2025-01-01", "2025-01-02", "2025-01-01", "", "2025-01-02")
"""When the sessions took place, in turn; of one in five it is not known."""


@pytest.fixture
def project(tmp_path: Path) -> TinyProject:
    """The click stages of the default pipeline over three small files."""
    project = TinyProject(tmp_path)
    project.write(
        "project.yml",
        """
        name: clicks
        vars: {positives_from: clicks, judgments_from: clicks, min_lower_bound: 0.05, min_click_sessions: 1}
        """,
    )
    project.write(
        "pipelines/rest.yml",
        """
        sources: [{name: log, format: csv, tables: {impressions: {path: log.csv}}}]
        stages:
          - {name: impressions}
          - {name: queries, unique_key: query_id}
          - {name: judgments, unique_key: [query_id, doc_id]}
        """,
    )
    shutil.copy(PIPELINES / "positives.yml", tmp_path / "pipelines")
    (tmp_path / "sql").mkdir()
    for name in CLICKED:
        if (SQL / f"{name}.sql").exists():
            shutil.copy(SQL / f"{name}.sql", tmp_path / "sql")
    project.write("sql/impressions.sql", "select * from {{ source('log', 'impressions') }}\n")
    project.write("sql/queries.sql", "select distinct query_id, 'train' as split from {{ ref('impressions') }}\n")
    project.write("sql/judgments.sql", "select query_id, doc_id, 1 as grade from {{ ref('impressions') }} limit 0\n")
    return project


Log = dict[tuple[str, str, int], tuple[str, bool]]
"""By session, query and position: the document, and whether it was clicked."""


def write(project: TinyProject, log: Log) -> None:
    with (project.root / "log.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(FIELDS)
        for (session, query, k), (doc, clicked) in log.items():
            day = DAYS[int(session[1:]) % len(DAYS)]
            table.writerow([session, query, doc, k, clicked, 5 * k if clicked else "", day])


def changed(log: Log, rng: random.Random) -> Log:
    """The log with rows that came, went, and were clicked or not."""
    after = dict(log)
    for key in rng.sample(sorted(after), 3):
        if rng.random() < 0.5:
            del after[key]
        else:
            after[key] = (after[key][0], not after[key][1])
    for _ in range(2):
        key = (f"s{rng.randrange(12)}", f"q{rng.randrange(20)}", rng.randrange(1, 6))
        after[key] = (f"d{rng.randrange(4)}", rng.random() < 0.4)
    return after


def tables(project: TinyProject) -> dict[str, list[Any]]:
    built = project.load().state()
    return {name: project.rows(f"select * from {name} order by all") for name in CLICKED if name in built}


def test_brought_up_to_date_is_built_in_full(project: TinyProject) -> None:
    variables = {
        "click_model": "pbm_em",
        "clicks_before": "2025-01-02",
        "click_preferences": True,
        "max_session_impressions": 9,
        "max_session_clicks": 4,
        "min_dwell_seconds": 6,
    }
    shutil.copy(SQL / "judgments.sql", project.root / "sql")
    rng = random.Random(0)
    log: Log = {}
    for session in range(12):
        for query in rng.sample(range(20), 6):
            for k in range(1, rng.randrange(2, 4)):
                log[f"s{session}", f"q{query}", k] = (f"d{rng.randrange(4)}", rng.random() < 0.4)
    excluded = set()
    for _ in range(4):
        write(project, log)
        project.run(**variables)
        found = tables(project)
        excluded.add(tuple(row[0] for row in found["excluded_sessions"]))
        log = changed(log, rng)
    assert len(excluded) > 1  # sessions came to be excluded, or ceased to be
    assert found["positives"]
    assert found["judgments"]
    assert found["click_preferences"]
    assert set(found) == set(CLICKED)
    project.run(full_refresh=True, **variables)
    assert tables(project) == found


def test_later_evidence_exists_when_it_judges(project: TinyProject) -> None:
    split: dict[str, Any] = {"clicks_before": "2025-01-02"}
    assert "later_click_evidence" in project.load(**split).manifest.nodes
    assert "later_click_evidence" not in project.load().manifest.nodes
    for other in ("judgments_from", "positives_from"):
        assert "later_click_evidence" not in project.load(**split, **{other: "judgments"}).manifest.nodes


def test_preferences_exist_when_asked_for(project: TinyProject) -> None:
    assert "click_preferences" not in project.load().manifest.nodes
    assert "click_preferences" not in project.load(click_preferences=True, positives_from="judgments").manifest.nodes
    assert "click_preferences" in project.load(click_preferences=True).manifest.nodes
