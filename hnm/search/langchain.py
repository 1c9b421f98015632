"""A project's search as a retriever for LangChain: `pip install 'hnm[langchain]'`."""

from typing import TYPE_CHECKING

from hnm.errors import QueryError

try:
    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
except ImportError as error:
    raise QueryError("LangChain is not installed", why=str(error), hint="pip install 'hnm[langchain]'") from None

from hnm.search.searcher import Searcher

if TYPE_CHECKING:
    from hnm.search.hits import Hit


class HnmRetriever(BaseRetriever):
    """Gives the best `top` documents; what is known of each is in its metadata."""

    searcher: Searcher
    top: int = 10

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [_document(hit) for hit in self.searcher.search(query, self.top)]


def as_langchain(searcher: Searcher, top: int) -> HnmRetriever:
    """The retriever over a loaded search."""
    return HnmRetriever(searcher=searcher, top=top)


def _document(hit: "Hit") -> Document:
    facts = {
        "doc_id": hit.doc_id,
        "title": hit.title,
        "rank": hit.rank,
        "reranker_score": hit.reranker_score,
        "interpolated_score": hit.interpolated_score,
        "fused_score": hit.fused.score,
        **{f"score_{name}": place.score for name, place in hit.found.items()},
    }
    return Document(id=hit.doc_id, page_content=hit.text, metadata=facts)
