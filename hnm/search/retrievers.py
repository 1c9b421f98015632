"""Which of a project's retrievers can search for a new text, and what each of them reads. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from hnm.errors import QueryError, SelectorError, nearest
from hnm.project.manifest import Call, Manifest, Node
from hnm.trained import TEXTS
from hnm.transforms.ensemble import PCA

CORPUS = "corpus"
LEXICAL = "retrieve_bm25"
BY_VECTOR = ("retrieve_dense", "retrieve_approximate")
"""Both are searched exactly."""


def retrievers(manifest: Manifest) -> dict[str, Node]:
    """The stages that retrieve candidates, by the names of their retrievers, in the project's order.

    Of several with one name, that of the candidates: others search another collection, or belong to a variant.
    """
    found: dict[str, Node] = {}
    for node in manifest.nodes.values():
        name = getattr(node.work.params, "retriever", None) if isinstance(node.work, Call) else None
        if name is not None and (name not in found or node.name == f"candidates_{name}"):
            found[name] = node
    return found


def wanted(manifest: Manifest, names: Sequence[str] | None) -> list[str]:
    """The retrievers called `names`, each once; by default those of the var `retrievers`, else all.

    Raises SelectorError for an unknown one.
    """
    known = retrievers(manifest)
    if names is None:
        listed = var(manifest, "retrievers")
        return [name for name in listed if name in known] if listed else list(known)
    for name in names:
        if name not in known:
            hint = nearest(name, known) or f"retrievers: {', '.join(known) or 'none'}"
            raise SelectorError(f"there is no retriever {name!r}", hint=hint)
    return list(dict.fromkeys(names))


def var(manifest: Manifest, name: str) -> Any:
    """The value of a var as a stage of the project reads it, else as project.yml gives it; None when it is not set."""
    config = manifest.config
    given = (
        {**config.vars, **config.targets[manifest.target].vars} if manifest.target in config.targets else config.vars
    )
    read = (node.vars_read[name] for node in manifest.nodes.values() if name in node.vars_read)
    return next(read, given.get(name))


def require_searchable(manifest: Manifest, name: str) -> None:
    """Raises QueryError for a retriever that cannot be asked for a text that is in no table."""
    node = retrievers(manifest)[name]
    why = _obstacle(manifest, node)
    if why:
        raise QueryError(f"the retriever {name!r} cannot search for a new text", where=node.where, why=why)


def tables_read(manifest: Manifest, name: str) -> list[str]:
    """The tables that searching by a retriever reads."""
    call = call_of(retrievers(manifest)[name])
    if call.transform.name == LEXICAL:
        return [CORPUS]
    vectors = call.inputs["vectors"]
    return [
        vectors,
        *(table for stage in vector_stages(manifest, vectors) for table in _components_of(manifest, stage)),
    ]


def stages_behind(manifest: Manifest, name: str) -> list[str]:
    """The stages whose tables or settings decide what a retriever finds, but for the corpus itself."""
    read = [table for table in tables_read(manifest, name) if table != CORPUS]
    return [*read, *(vector_stages(manifest, read[0]) if read else [])]


def vector_stages(manifest: Manifest, stage: str) -> list[str]:
    """The stages that make vectors of texts for `stage`, itself the last: encoders, and ensembles of them."""
    call = call_of(manifest.nodes[stage])
    parts = [source for name, source in call.inputs.items() if name != PCA] if call.transform.name == "ensemble" else []
    beneath = [name for part in parts for name in vector_stages(manifest, part)]
    return list(dict.fromkeys([*beneath, stage]))


def params_of(manifest: Manifest, name: str) -> Any:
    """The parameters of a retriever's stage, of the kind that its transform declares."""
    return call_of(retrievers(manifest)[name]).params


def call_of(node: Node) -> Call:
    """The transform's call of a Python stage."""
    if not isinstance(node.work, Call):
        raise TypeError(f"{node.name} is a SQL stage")
    return node.work


def _components_of(manifest: Manifest, stage: str) -> list[str]:
    inputs = call_of(manifest.nodes[stage]).inputs
    return [inputs[PCA]] if PCA in inputs else []


def _obstacle(manifest: Manifest, node: Node) -> str | None:
    """Why the retriever of a stage cannot be asked for a new text; None when it can."""
    call = call_of(node)
    if node.pinned:
        return f"it reads {', '.join(node.pinned)}, and search goes by what is current"
    if call.transform.name == LEXICAL:
        return None if call.inputs["corpus"] == CORPUS else f"it searches {call.inputs['corpus']}, not {CORPUS}"
    if call.transform.name in BY_VECTOR:
        return next(_vector_obstacles(manifest, call.inputs["vectors"]), None)
    return f"there is no search like {call.transform.name}: only {LEXICAL} and {', '.join(BY_VECTOR)} have one"


def _vector_obstacles(manifest: Manifest, stage: str) -> Iterator[str]:
    work, pinned = manifest.nodes[stage].work, manifest.nodes[stage].pinned
    transform = work.transform.name if isinstance(work, Call) else "SQL"
    if pinned:
        yield f"{stage} reads {', '.join(pinned)}, and search goes by what is current"
    elif isinstance(work, Call) and transform == "ensemble":
        for name, source in work.inputs.items():
            if name != PCA:
                yield from _vector_obstacles(manifest, source)
    elif not isinstance(work, Call) or transform != "embed":
        yield f"the vectors of {stage} come from {transform}, which makes none of a new text: only embed does"
    elif work.inputs["texts"] != TEXTS:
        yield f"{stage} encodes {work.inputs['texts']}, not {TEXTS}"
