"""Transform: how many tokens the first documents of ranked lists have."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from hnm.context import Context
from hnm.errors import ModelError
from hnm.inputs import Inputs
from hnm.models.resolve import model_files, model_identity
from hnm.transform import Params, transform

if TYPE_CHECKING:
    import pyarrow as pa
    from tokenizers import Tokenizer

TEXTS_AT_ONCE = 512

_TEXTS = """
select id as doc_id, coalesce(text, '') as text from texts
where kind = 'document' and id in (select doc_id from runs where rank <= $top)
"""


class CountTokensParams(Params):
    """`model`: whose tokenizer counts: a bundled model, a folder relative to the project, or a hub's model.

    `top`: documents of each list that are counted.
    """

    model: str = Field(default="reranker_en", min_length=1)
    top: int = Field(default=5, ge=1)


def _identity(params: CountTokensParams) -> dict[str, str]:
    return model_identity(params.model)


def _files(params: CountTokensParams, root: Path) -> list[Path]:
    return model_files(params.model, root)


@transform(
    params=CountTokensParams, inputs=("texts", "runs"), packages=("tokenizers",), files=_files, identity=_identity
)
def count_tokens(inputs: Inputs, params: CountTokensParams, context: Context) -> Iterator["pa.RecordBatch"]:
    """Tokens of every document that stands among the first `top` of any list.

    Inputs: texts(kind, id, text), runs(query_id, doc_id, rank). Output: (doc_id, tokens), the document's whole text,
    title included, without the marks that a model puts around it. Memory: some hundred texts.

    Raises ModelError when the model cannot be had or has no `tokenizer.json`.
    """
    import pyarrow as pa

    tokenizer = _tokenizer(params.model, context.root)
    total = inputs.table(f"select count(*) from ({_TEXTS})", {"top": params.top}).column(0)[0].as_py()
    with context.progress("counting tokens", total, "texts") as advance:
        for batch in inputs.sql(_TEXTS, {"top": params.top}, batch_rows=TEXTS_AT_ONCE):
            encoded = tokenizer.encode_batch(batch.column("text").to_pylist(), add_special_tokens=False)
            counts = pa.array([len(one.ids) for one in encoded], pa.int32())
            yield pa.record_batch({"doc_id": batch.column("doc_id"), "tokens": counts})
            advance(batch.num_rows)


def _tokenizer(model: str, root: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    from hnm.models.resolve import resolve

    file = resolve(model, root).fetch() / "tokenizer.json"
    if not file.is_file():
        raise ModelError(f"model {model!r} has no tokenizer.json", hint="name one that has, such as reranker_en")
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
