"""A project whose triplets change with two vars, small enough to run in a second."""

from pathlib import Path

from tiny_project import TinyProject

PIPELINE = """
    sources:
      - name: shelf
        format: csv
        tables: {judgments: {path: data/judgments.csv}}
    stages:
      - name: pairs
        unique_key: [query_id, doc_id]
      - name: triplets
        materialized: lance
        unique_key: [query_id, positive_id, negative_id, strategy]
"""
SQL = {
    "pairs": "select query_id, doc_id from {{ source('shelf', 'judgments') }}",
    # Each pair has the negatives n(shift + 1), n(shift + 2) and so on; the first one is the paper's.
    "triplets": """
        select
            query_id, doc_id as positive_id, 'n' || (n + {{ var('shift', 0) }}) as negative_id,
            'text of ' || query_id as query, 'text of ' || doc_id as positive, 'text of ' || negative_id as negative,
            (n / 10)::float as d_query_doc, 0.2::float as d_query_positive,
            if(n = 1, 'paper', 'random') as strategy, n as selected_rank, 1.0::float as weight, 'train' as split,
        from {{ ref('pairs') }}, range(1, {{ var('per_pair', 2) }} + 1) as t(n)
    """,
}


def write_triplet_project(root: Path) -> TinyProject:
    """Three queries with one positive each: q1 d1, q2 d2, and q3 whose positive n3 is a negative of others."""
    project = TinyProject.write_to(root)
    project.stages(PIPELINE, **SQL)
    project.write("data/judgments.csv", "query_id,doc_id,grade\nq1,d1,1\nq2,d2,1\nq3,n3,1\n")
    return project


def damage(project: TinyProject, version: str) -> None:
    """Overwrite the first half of the data file of a version of its triplets; the length stays."""
    file = data_file(project, version)
    content = file.read_bytes()
    half = len(content) // 2
    file.write_bytes(b"\xff" * half + content[half:])


def data_file(project: TinyProject, version: str) -> Path:
    """The one data file of a version of its triplets."""
    from hnm.dataset.find import find

    found = find(project.load().warehouse, "triplets", version)
    (fragment,) = found.open().get_fragments()
    (file,) = fragment.data_files()
    return found.folder / "data" / str(file.path)
