"""Write a trained reranker as a folder that works without hnm: safetensors as they are, and ONNX where wanted."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hnm.context import Context, Reporter, SilentReporter
from hnm.errors import Location, ModelError, QueryError, SelectorError, nearest
from hnm.models.evaluated_card import evaluated_section
from hnm.models.onnx_export import FILES, Form, OnnxScorer, quantize, require_onnx, write_onnx
from hnm.trained import TrainedModel, reranker, trained_models, usual_models
from hnm.warehouse.model_folder import intact
from hnm.writers._aside import aside

if TYPE_CHECKING:
    from hnm.api import Project
    from hnm.models.onnx_difference import Difference

QUERIES = 40
CARD = "README.md"


_SECTION = """
## {title}

`{file}` is this model for onnxruntime{in_integers}. Where it is used, `model.safetensors` is not needed.

```python
import onnxruntime
from transformers import AutoTokenizer

folder = "path/to/this/folder"
tokenizer = AutoTokenizer.from_pretrained(folder)
session = onnxruntime.InferenceSession(f"{{folder}}/{file}")
pairs = [("a query", "a document"), ("a query", "another document")]
tokens = tokenizer(pairs, padding=True, truncation=True, max_length={max_length}, return_tensors="np")
logits = session.run(["logits"], {{wanted.name: tokens[wanted.name] for wanted in session.get_inputs()}})
scores = logits[0][:, 0]
```

{measured}
"""


@dataclass(frozen=True)
class Exported:
    """`difference`: of the ONNX model from the original; None for safetensors, and where no lists are built."""

    folder: Path
    form: Form
    difference: "Difference | None"


def export_model(
    project: "Project",
    stage: str,
    folder: Path,
    form: Form = Form.safetensors,
    force: bool = False,
    queries: int = QUERIES,
    reporter: Reporter | None = None,
) -> Exported:
    """Write the model of `stage` to `folder`, whole or not at all, with its card, which gains what was measured.

    ONNX goes beside the safetensors, and its difference, measured on up to `queries` evaluation lists, into the card.
    `force`: replace a folder, if a model is in it.
    Raises SelectorError for an unknown model, QueryError for one that is not built, WarehouseError when its files are
    damaged, ModelError when it cannot be written in that form, HnmError when the folder cannot be written.
    """
    model = _trained(project, stage)
    if force and folder.is_dir() and any(folder.iterdir()) and not (folder / "config.json").is_file():
        raise ModelError("only a model's folder is replaced", where=Location(folder), why="it has no config.json")
    context = Context("export", project.manifest.root, folder, project.settings, reporter or SilentReporter())
    if form is not Form.safetensors:
        require_onnx()
    with aside(folder, replace=force) as written:
        shutil.copytree(intact(model.folder, model.version, stage), written)
        with (written / CARD).open("a", encoding="utf-8") as card:
            card.write(evaluated_section(project, model))
        difference = None if form is Form.safetensors else _add_onnx(project, stage, written, form, queries, context)
    return Exported(folder, form, difference)


def _trained(project: "Project", stage: str) -> TrainedModel:
    models = [name for name, node in project.manifest.nodes.items() if node.materialized == "model"]
    if stage not in models:
        hint = nearest(stage, models) or f"models: {', '.join(usual_models(project.manifest)) or 'none'}"
        raise SelectorError(f"the project trains no model {stage!r}", hint=hint)
    built = next((model for model in trained_models(project) if model.stage == stage), None)
    if built is None:
        raise QueryError(f"the model {stage} is not built", hint=f"`hnm run --select +{stage}` builds it")
    return built


def _add_onnx(
    project: "Project", stage: str, folder: Path, form: Form, queries: int, context: Context
) -> "Difference | None":
    from hnm.models.cross_encoder import open_cross_encoder
    from hnm.models.device import limit_threads
    from hnm.models.onnx_difference import evaluation_lists, measure_difference

    how = reranker(project.manifest, stage)
    limit_threads(context.settings)
    in_float32 = replace(context.settings, device="cpu", precision="fp32")
    model = open_cross_encoder(folder, in_float32, how.max_length, name=stage)
    with context.progress(f"writing {form}", None, "models"):
        path = folder / FILES[form]
        whole = folder / FILES[Form.onnx]
        write_onnx(model, whole)
        if form is Form.onnx_int8:
            quantize(whole, path)
            for file in whole.parent.glob(f"{whole.name}*"):
                file.unlink()
    lists = evaluation_lists(project, stage, queries, how.max_length)
    difference = None
    if lists:
        exported = OnnxScorer(path, model, how.max_length, context.settings.cores)
        difference = measure_difference(lists, model, exported, how.batch_size, context)
    with (folder / CARD).open("a", encoding="utf-8") as card:
        card.write(_section(form, how.max_length, difference))
    return difference


def _section(form: Form, max_length: int, difference: "Difference | None") -> str:
    rows = difference_rows(difference) if difference else {}
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])
    return _SECTION.format(
        title="ONNX in 8-bit integers" if form is Form.onnx_int8 else "ONNX",
        file=FILES[form],
        in_integers=", the weights of its matrix products in 8-bit integers" if form is Form.onnx_int8 else "",
        max_length=max_length,
        measured=table
        if rows
        else "Its difference from the original was not measured: there were no evaluation lists.",
    )


def difference_rows(difference: "Difference") -> dict[str, str]:
    """In words, for a card and a screen."""
    ratio = difference.exported_speed / difference.original_speed
    cores = "1 core" if difference.cores == 1 else f"{difference.cores} cores"
    rows = {
        "measured on": f"{difference.pairs:,} pairs of {difference.queries} evaluation queries",
        "difference of logits": f"largest {difference.largest:.2g}, mean {difference.mean:.2g}",
        "same document first": f"{difference.same_first:.1%} of the queries",
    }
    if difference.before is not None and difference.after is not None:
        rows["RR@10"] = f"{difference.after:.3f}, of the original {difference.before:.3f}"
    rows["speed"] = (
        f"{difference.exported_speed:,.0f} pairs/s, {ratio:.1f} times the original's {difference.original_speed:,.0f} "
        f"in float32 on {cores}"
    )
    if difference.bf16_speed is not None:
        rows["original in bfloat16"] = f"{difference.bf16_speed:,.0f} pairs/s on the same processor"
    return rows
