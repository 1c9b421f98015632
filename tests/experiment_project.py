"""A project with an experiment of four cells and a tiny reranker: it is built in seconds.

A query's positive repeats its word, a hard negative shares the word's first letter, a random one shares nothing.
"""

from pathlib import Path
from shutil import copytree

from tiny_project import TinyProject

PROJECT = """
    name: experiments
    vars: {hardest: 2}
    targets: {dev: {warehouse: data/warehouse}}
    settings: {device: cpu, cores: 1, precision: fp32, memory_limit: 500MB}
"""
PIPELINE = """
    stages:
      - name: texts
        unique_key: [kind, id]
      - name: negatives
      - name: triplets
        unique_key: [query_id, positive_id, negative_id, strategy]
      - name: first_stage
      - name: judgments
"""
EXPERIMENT = """
    variants:
      - name: hardest
        description: the hardest alone
        upto: triplets
        set: {negatives: {vars: {hardest: 1}}}

    stages:
      - name: pay
        kind: experiment
        description: Do hard negatives pay?
        train:
          inputs: {triplets: ref(triplets)}
          params:
            model: models/tiny
            max_groups: "{{ var('experiment_groups', 8) }}"
            max_length: 32
            groups_per_batch: 4
            learning_rate: 1.0e-3
        matrix:
          recipe:
            random: {params: {negatives: [{strategies: [random], per_group: 2}]}}
            hard:
              params: &hard
                negatives: [{strategies: [hard], per_group: 1}, {strategies: [random], per_group: 1}]
            hardest: {inputs: {triplets: ref(triplets__hardest)}, params: *hard}
          loss: [cross_entropy, bce]
          seed: "{{ var('experiment_seeds', [0, 1]) }}"
        exclude: [{loss: bce}, {recipe: hardest, seed: 1}]
        include: [{loss: bce, recipe: hard, seed: 0}]
        models: {start: models/tiny}
        evaluate:
          home:
            first_stage: ref(first_stage)
            texts: ref(texts)
            judgments: ref(judgments)
            depth: 4
            max_length: 32
            measures: [RR@10, nDCG@10]
        baselines: [first_stage, random]
        scores: {triplets: ref(triplets), splits: [dev], groups: 5, max_length: 32}
"""
WORDS = """
    select letter || number as word, number, letter
    from range(4) as n(number), (values ('a'), ('b'), ('c'), ('d')) as l(letter)
"""
SQL = {
    "texts": f"""
        with words as ({WORDS})
        select 'query' as kind, word as id, word as text from words
        union all select 'document', 'p-' || word, word || ' ' || word from words
        union all select 'document', 'h-' || word || '-' || i, letter || '9' || i from words, range(2) as r(i)
        union all select 'document', 'r-' || i, 'z' || i || ' y' || i from range(3) as r(i)
    """,
    "negatives": """
        select id as query_id, 'p-' || id as positive_id, 'h-' || id || '-' || i as doc_id, 'hard' as strategy,
            (i + 1)::integer as selected_rank
        from {{ ref('texts') }}, range({{ var('hardest') }}) as r(i) where kind = 'query'
        union all
        select id, 'p-' || id, 'r-' || i, 'random', (i + 1)::integer
        from {{ ref('texts') }}, range(3) as r(i) where kind = 'query'
    """,
    "triplets": """
        select query_id, positive_id, doc_id as negative_id, queries.text as query, positives.text as positive,
            documents.text as negative, strategy, selected_rank,
            if(query_id < 'c', 'train', 'dev') as split
        from {{ ref('negatives') }}
        join {{ ref('texts') }} as queries on queries.kind = 'query' and queries.id = query_id
        join {{ ref('texts') }} as positives on positives.kind = 'document' and positives.id = positive_id
        join {{ ref('texts') }} as documents on documents.kind = 'document' and documents.id = doc_id
    """,
    "first_stage": """
        select id as query_id, doc_id, 'bm25' as retriever, rank::integer as rank, (9 - rank)::float as score
        from {{ ref('texts') }},
            lateral (values ('h-' || id || '-0', 1), ('r-0', 2), ('p-' || id, 3), ('r-1', 4)) as v (doc_id, rank)
        where kind = 'query' and id >= 'd'
    """,
    "judgments": """
        select id as query_id, 'p-' || id as doc_id, 1 as grade, 'test' as split
        from {{ ref('texts') }} where kind = 'query' and id >= 'd'
    """,
}


def experiment_project(root: Path, model: Path) -> TinyProject:
    """The project in the folder `root`; `model`: the folder of a tiny cross-encoder, which is copied."""
    project = TinyProject(root)
    project.write("project.yml", PROJECT)
    project.write("pipelines/base.yml", PIPELINE)
    project.write("pipelines/experiment.yml", EXPERIMENT)
    for name, text in SQL.items():
        project.write(f"sql/{name}.sql", text)
    copytree(model, root / "models" / "tiny")
    return project
