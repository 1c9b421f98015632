"""hnm: hard-negative mining for rerankers as a declarative data project on DuckDB and Lance."""

TYPE_CHECKING = False  # type checkers take it for typing's, whose import the command line's first moments do without
if TYPE_CHECKING:
    from hnm.api import Project

__version__ = "0.1.0"
__all__ = ["Project", "__version__"]


def __getattr__(name: str) -> object:
    """Import `Project` on first use, so that `hnm --version` does not load the engine."""
    if name == "Project":
        from hnm.api import Project

        return Project
    raise AttributeError(f"module 'hnm' has no attribute {name!r}")
