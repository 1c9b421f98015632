"""Load a project's search: check what is asked for, read the tables of one moment, then index and load models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from hnm.context import Context, Reporter, SilentReporter
from hnm.engine.fingerprint import own_components
from hnm.errors import QueryError
from hnm.models.cross_encoder import load_cross_encoder, open_cross_encoder
from hnm.models.device import limit_threads
from hnm.models.quiet import quiet_libraries
from hnm.project.manifest import Manifest
from hnm.retrieval.bm25 import BM25Index
from hnm.search import retrievers as known
from hnm.search.documents import BATCH_ROWS, DenseIndex, read_documents
from hnm.search.query_vectors import QueryVectors
from hnm.search.searcher import Loaded, Searcher
from hnm.sqltext import quote
from hnm.trained import TEXTS, Reranker, best_model, reranker, rerankers, trained_models
from hnm.warehouse.state import Materialization

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

    from hnm.api import Project

DEFAULT_DEPTH = 30
State = Mapping[str, Materialization]
_DECISIVE = ("params.", "as ", "identity ", "input ")


def open_searcher(
    project: "Project",
    retrievers: Sequence[str] | None = None,
    model: str | None = None,
    depth: int = DEFAULT_DEPTH,
    reporter: Reporter | None = None,
) -> Searcher:
    """What `Project.searcher` gives, which see. `reporter`: shows progress."""
    if depth < 0:
        raise QueryError(f"depth must be at least 0, not {depth}")
    manifest, state = project.manifest, project.state()
    notes: list[str] = []
    names = _chosen_retrievers(manifest, state, retrievers, notes)
    chosen = _chosen_reranker(project, state, model, notes) if depth else None
    _require_lists(chosen, names)
    notes += _outdated(manifest, state, names, chosen)
    context = Context("search", manifest.root, project.warehouse.folder / "work", project.settings)
    context.reporter = reporter or SilentReporter()
    read = _read(project, state, names)
    lexical = {name: _index(manifest, name, read.documents, context) for name in names if name not in read.dense}
    stages = [stage for source in read.vectors.values() for stage in known.vector_stages(manifest, source)]
    calls = {stage: known.call_of(manifest.nodes[stage]) for stage in dict.fromkeys(stages)}
    encoders, cross_encoder = QueryVectors({}, {}, manifest.root, project.settings), None
    if calls or chosen:  # else the libraries, which take seconds, are not even imported
        with context.progress("loading models", None, "models"), quiet_libraries():
            limit_threads(project.settings)
            encoders = QueryVectors(calls, read.components, manifest.root, project.settings)
            cross_encoder = _cross_encoder(project, state, chosen) if chosen else None
    loaded = Loaded(
        documents=read.documents.drop_columns(["terms"]),
        lexical=lexical,
        dense=read.dense,
        vectors=read.vectors,
        encoders=encoders,
        reranker=chosen,
        cross_encoder=cross_encoder,
        rrf_k=float(str(known.var(manifest, "rrf_k") or 60)),
        settings=project.settings,
    )
    return Searcher(loaded, names, depth, notes)


# What is asked for


def _chosen_retrievers(manifest: Manifest, state: State, wanted: Sequence[str] | None, notes: list[str]) -> list[str]:
    """Those that can be asked. By default, what cannot is left out with a note; what was named must be there."""
    if not wanted and wanted is not None:
        raise QueryError("there is no retriever to ask", hint="name one, or leave the choice to the project")
    usable: list[str] = []
    problems: list[QueryError] = []
    for name in known.wanted(manifest, wanted):
        try:
            known.require_searchable(manifest, name)
            _require_built(state, [known.CORPUS, TEXTS, *known.tables_read(manifest, name)])
            usable.append(name)
        except QueryError as error:
            if wanted is not None:
                raise
            problems.append(error)
    if not usable:
        raise (
            problems[0]
            if problems
            else QueryError(
                "the project has no retriever",
                hint="a stage with `transform: retrieve_bm25` is one; see docs/search.md",
            )
        )
    notes += [f"{error.what}{f': {error.why}' if error.why else ''}; left out" for error in problems]
    return usable


def _require_built(state: State, tables: Sequence[str]) -> None:
    for table in tables:
        if table not in state:
            missing = " ".join(f"+{name}" for name in dict.fromkeys(tables) if name not in state)
            raise QueryError(f"the table {table} is not built", hint=f"`hnm run --select '{missing}'` builds it")


def _chosen_reranker(project: "Project", state: State, name: str | None, notes: list[str]) -> Reranker | None:
    """The one called `name`; by default the best of the trained ones, else the one that training starts from."""
    manifest = project.manifest
    if name is not None:
        chosen = reranker(manifest, name)
        if chosen.stage and chosen.stage not in state:
            raise QueryError(
                f"the model {chosen.stage} is not built", hint=f"`hnm run --select +{chosen.stage}` builds it"
            )
        return chosen
    best = best_model(trained_models(project))
    if best:
        return reranker(manifest, best.stage)
    start = next((found for found in rerankers(manifest).values() if found.model), None)
    notes.append(
        f"no reranker is trained yet: the untrained {start.name} ranks; `hnm run` trains"
        if start
        else "the project has no reranker: the fused list is what you see"
    )
    return start


def _require_lists(chosen: Reranker | None, names: Sequence[str]) -> None:
    """Raises QueryError where the ranks of a retriever count that is not asked."""
    missing = [name for name in chosen.weights if name not in names] if chosen else []
    if chosen and missing:
        raise QueryError(
            f"{chosen.name} needs the ranks by {', '.join(missing)}",
            why=f"asked: {', '.join(names)}",
            hint="ask these retrievers too, or take a reranker that reads no ranks",
        )


def _outdated(manifest: Manifest, state: State, names: Sequence[str], chosen: Reranker | None) -> list[str]:
    """A note on stages that were built from other data or parameters than there are now."""
    stages = {stage for name in names for stage in known.stages_behind(manifest, name)}
    if chosen and chosen.stage:
        stages.add(chosen.stage)
    changed = [stage for stage in sorted(stages) if stage in state and _differs(manifest, state, stage)]
    return [f"not up to date: {', '.join(changed)}; `hnm run` builds what has changed"] if changed else []


def _differs(manifest: Manifest, state: State, stage: str) -> bool:
    """Not by its code: that of another version of hnm makes no other vectors that matter here; `hnm plan` tells."""
    built = state[stage].components
    now = own_components(manifest.nodes[stage], manifest)
    read = manifest.nodes[stage].reads
    inputs = {f"input {name}": state[reference].data_version for reference, name in read.items() if reference in state}
    return any(built.get(name) != value for name, value in (now | inputs).items() if name.startswith(_DECISIVE))


# Loading


@dataclass(frozen=True)
class _Read:
    """What the warehouse holds, of one moment. `vectors`: by retriever, the stage of its vectors."""

    documents: pa.Table
    dense: dict[str, DenseIndex]
    vectors: dict[str, str]
    components: dict[str, pa.Table]


def _read(project: "Project", state: State, names: Sequence[str]) -> _Read:
    """Read all tables while the warehouse is open, and nothing else: no run can publish meanwhile."""
    manifest = project.manifest
    tables = {name: known.tables_read(manifest, name) for name in names}
    dense: dict[str, DenseIndex] = {}
    components: dict[str, pa.Table] = {}
    lances = {known.CORPUS, TEXTS, *(table for read in tables.values() for table in read)}
    with project.warehouse.querying(state, lances) as connection:
        documents = read_documents(connection)
        doc_ids = documents.column("doc_id").combine_chunks()
        for name, (source, *components_read) in tables.items():
            if source == known.CORPUS:
                continue
            dense[name] = DenseIndex(connection, source, doc_ids, known.params_of(manifest, name).top_k)
            for table in components_read:
                components[table] = connection.sql(f"select * from {quote(table)}").to_arrow_table()
    return _Read(documents, dense, {name: tables[name][0] for name in dense}, components)


def _index(manifest: Manifest, name: str, documents: pa.Table, context: Context) -> BM25Index:
    places = pa.array(range(len(documents)), pa.int64())
    texts = pa.table({"terms": documents.column("terms"), "ordinal": places})
    return BM25Index(known.params_of(manifest, name), len(documents), texts.to_batches(BATCH_ROWS), context)


def _cross_encoder(project: "Project", state: State, chosen: Reranker) -> "CrossEncoder":
    if chosen.stage:
        folder = project.warehouse.model(state[chosen.stage])
        return open_cross_encoder(folder, project.settings, chosen.max_length, name=chosen.name)
    return load_cross_encoder(str(chosen.model), project.manifest.root, project.settings, chosen.max_length)
