"""A project that can be searched: a dozen documents, two bundled encoders, their ensemble, BM25, and a reranker.

The reranker is `tiny_cross_encoder`, saved by a transform of the project: what training makes of it is not tested here.
"""

import shutil
from pathlib import Path

from tiny_project import TinyProject

SQL = Path(__file__).parents[1] / "sql"
HOSTILE = "[bold]red[/bold] [/] ' || chr(27) || '[31m apple ' || chr(10) || 'second line"
QUERIES = {
    "q1": "how do I bake an apple pie",
    "q2": "repair a bicycle tyre",
    "q3": "banana or apple?",
    "q4": "東京 weather in autumn",
}

PROJECT = """
    name: searched
    vars: {retrievers: [bm25, minilm, wordllama, ensemble], rrf_k: 60}
    targets: {dev: {warehouse: data/warehouse}}
    settings: {cores: 1, memory_limit: 500MB, precision: fp32}
"""
PIPELINE = """
    stages:
      - {name: corpus, unique_key: doc_id}
      - {name: queries, unique_key: query_id}
      - {name: judgments, unique_key: [query_id, doc_id]}
      - {name: texts, unique_key: [kind, id]}
      - name: embeddings_minilm
        transform: embed
        inputs: {texts: ref(texts)}
        params: {model: all-MiniLM-L6-v2, max_tokens: 32}
        materialized: lance
        unique_key: [kind, id]
      - name: embeddings_wordllama
        transform: embed
        inputs: {texts: ref(texts)}
        params: {model: wordllama-l2-supercat-256, dim: 64}
        materialized: lance
        unique_key: [kind, id]
      - name: ensemble_pca
        transform: ensemble_pca
        inputs: {minilm: ref(embeddings_minilm), wordllama: ref(embeddings_wordllama)}
        params: {weights: {minilm: 2}}
      - name: ensemble
        transform: ensemble
        inputs: {minilm: ref(embeddings_minilm), wordllama: ref(embeddings_wordllama), pca: ref(ensemble_pca)}
        materialized: lance
        unique_key: [kind, id]
      - name: candidates_bm25
        transform: retrieve_bm25
        inputs: {corpus: ref(corpus), queries: ref(queries)}
        params: {retriever: bm25, top_k: 5}
      - name: candidates_minilm
        transform: retrieve_dense
        inputs: {vectors: ref(embeddings_minilm)}
        params: {retriever: minilm, top_k: 8}
      - name: candidates_wordllama
        transform: retrieve_dense
        inputs: {vectors: ref(embeddings_wordllama)}
        params: {retriever: wordllama, top_k: 8}
      - name: candidates_ensemble
        transform: retrieve_dense
        inputs: {vectors: ref(ensemble)}
        params: {retriever: ensemble, top_k: 8}
      - name: candidates_random
        transform: retrieve_random
        inputs: {corpus: ref(corpus), queries: ref(queries)}
        params: {retriever: random, per_query: 2}
      - {name: candidates, unique_key: [query_id, doc_id, retriever]}
      - {name: first_stage, unique_key: [query_id, doc_id]}
      - name: reranker
        transform: training:save
        inputs: {queries: ref(queries)}
        params: {start: start}
      - name: baseline
        transform: training:save
        inputs: {queries: ref(queries)}
        params: {start: start}
      - name: reranked_start
        transform: rerank
        inputs: {first_stage: ref(first_stage), texts: ref(texts)}
        params: {name: start, model: start, max_length: 48}
      - name: reranked_ours
        transform: rerank
        inputs: {first_stage: ref(first_stage), texts: ref(texts), model: ref(reranker)}
        params: {name: ours, max_length: 48}
      - name: reranked_mixed
        transform: interpolate
        inputs:
          reranked: ref(reranked_ours)
          texts: ref(texts)
          lexical: ref(candidates_bm25)
          minilm: ref(candidates_minilm)
        params: {name: ours_mixed, weights: {lexical: 0.5, minilm: 1.5}}
      - {name: evaluations}
"""
# Another collection, on which the model is measured too: its stages come first, and must not be taken for the own ones.
AWAY = """
    stages:
      - {name: away_texts}
      - {name: away_first_stage}
      - name: away_ours
        transform: rerank
        inputs: {first_stage: ref(away_first_stage), texts: ref(away_texts), model: ref(reranker)}
        params: {name: ours, max_length: 24}
"""
TABLES = {
    "away_texts": "select 'query' as kind, 'away' as id, 'elsewhere' as text",
    "away_first_stage": "select 'away' as query_id, 'd01' as doc_id, 'bm25' as retriever, 1 as rank",
    "corpus": f"""
        from (values
            ('d01', 'Apple pie', 'Bake the apple pie for an hour, with cinnamon.', '{{}}'),
            ('d02', '', 'A bicycle tyre is repaired with a patch.', '{{}}'),
            ('d03', 'Banana bread', 'Ripe banana, flour and eggs.', '{{}}'),
            ('d04', 'Markup', '{HOSTILE}', '{{}}'),
            ('d05', 'Tokyo', '東京 is warm in autumn; the weather is dry.', '{{}}'),
            ('d06', '', 'Apple trees are pruned in winter.', '{{}}'),
            ('d07', 'Apple', 'apple', '{{}}'),
            ('d08', 'Twin', 'The same words twice.', '{{}}'),
            ('d09', 'Twin', 'The same words twice.', '{{}}'),
            ('d10', '', '', '{{}}'),
            ('d11', 'Chain', 'Oil the chain of the bicycle.', '{{}}'),
            ('d12', 'Weather', 'Rain and wind in autumn.', '{{}}')
        ) as v (doc_id, title, text, metadata)
    """,
    "queries": "from (values {}) as v (query_id, text, split)".format(
        ", ".join(f"('{name}', '{text}', 'test')" for name, text in QUERIES.items())
    ),
    "judgments": "from (values ('q1', 'd01', 1), ('q2', 'd02', 2), ('q4', 'd05', 1)) as v (query_id, doc_id, grade)",
    "candidates": " union all ".join(
        f"select * from {{{{ ref('candidates_{name}') }}}}" for name in ("bm25", "minilm", "wordllama", "ensemble")
    ),
    "first_stage": """
        select query_id, doc_id, 'rrf' as retriever,
            row_number() over (partition by query_id order by sum(1 / (60 + rank)) desc, doc_id)::integer as rank,
            sum(1 / (60 + rank)) as score
        from {{ ref('candidates') }} group by query_id, doc_id
    """,
    "evaluations": """
        select *, 3 as queries, value - 0.1 as ci_low, value + 0.1 as ci_high,
            (select any_value(model_version) from {{ ref('reranked_ours') }} where model = 'ours') as model_version
        from (values ('start', 'test', 'RR@10', 0.5, null), ('ours', 'test', 'RR@10', 0.7, null),
            ('ours', 'test', 'nDCG@10', 0.6, null), ('ours', 'test', 'RR@10', 0.7, 'start')
        ) as v (model, split, measure, value, baseline)
    """,
}
TRAINING = '''
    """Keeps a start as a model of the project."""
    from hnm.transform import Params, transform


    class SaveParams(Params):
        start: str


    @transform(params=SaveParams, inputs=("queries",), produces="model")
    def save(inputs, params, context):
        import pyarrow as pa
        from hnm.models.cross_encoder import load_cross_encoder

        model = load_cross_encoder(params.start, context.root, context.settings, 48)
        model.save_pretrained(str(context.model_folder), create_model_card=False)
        (context.model_folder / "README.md").write_text("# A model\\n", encoding="utf-8")
        context.record(base_model=params.start, seconds=1.5, seed=0)
        yield pa.record_batch({"step": pa.array([1])})
'''


def searched_project(root: Path, cross_encoder: Path) -> TinyProject:
    """The project in the folder `root`, built, but for the stages that the tests leave out."""
    project = TinyProject(root)
    project.write("project.yml", PROJECT)
    project.write("pipelines/searched.yml", PIPELINE)
    project.write("pipelines/away.yml", AWAY)
    project.write("training.py", TRAINING)
    for name, text in TABLES.items():
        project.write(f"sql/{name}.sql", text)
    project.write("sql/texts.sql", (SQL / "texts.sql").read_text(encoding="utf-8"))
    shutil.copytree(cross_encoder, root / "start")
    result = project.run("+evaluations", "reranked_mixed", "judgments", "candidates_random")
    assert result.ok, [stage.error for stage in result.results if stage.error]
    return project


def shared(root: Path, cross_encoder: Path) -> TinyProject:
    """The project, built once for all tests that only read it."""
    return TinyProject(root) if root.exists() else searched_project(root, cross_encoder)
