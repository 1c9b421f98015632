"""The training log: one row per optimizer step."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pyarrow as pa

_FIGURES = pa.map_(pa.string(), pa.float64())
SCHEMA = pa.schema(
    {
        "step": pa.int32(),
        "epoch": pa.float64(),
        "loss": pa.float64(),
        "learning_rate": pa.float64(),
        "seconds": pa.float64(),
        "grad_norm": pa.float64(),
        "losses": _FIGURES,
        "scores": _FIGURES,
        "gradients": _FIGURES,
        "validation": pa.float64(),
    }
)


@dataclass(frozen=True)
class LogRow:
    """One optimizer step. `learning_rate` is that of the step; `seconds` count from the start of training.

    `grad_norm`: length of the gradient over all trained weights, before it is clipped to 1.
    `losses`: by name, without their weights. `scores` and `gradients`: by class, see `hnm.training.watch`.
    `validation`: the measure after the step, where it was taken; step 0 is the start and has nothing else.
    """

    step: int
    epoch: float
    loss: float | None
    learning_rate: float | None
    seconds: float
    grad_norm: float | None
    losses: Mapping[str, float]
    scores: Mapping[str, float]
    gradients: Mapping[str, float]
    validation: float | None

    @classmethod
    def of(cls, logged: Mapping[str, float]) -> "LogRow":
        """From a row of the trainer's log, where a figure of a map is called `map/name`."""
        return cls(
            step=int(logged["step"]),
            epoch=logged["epoch"],
            loss=logged.get("loss"),
            learning_rate=logged.get("learning_rate"),
            seconds=logged["seconds"],
            grad_norm=logged.get("grad_norm"),
            losses=_inside(logged, "losses"),
            scores=_inside(logged, "scores"),
            gradients=_inside(logged, "gradients"),
            validation=logged.get("validation"),
        )


def log_batch(rows: list[LogRow]) -> pa.RecordBatch:
    """The log as Arrow."""
    return pa.RecordBatch.from_pylist([_plain(row) for row in rows], SCHEMA)


def _plain(row: LogRow) -> dict[str, object]:
    return {name: list(value.items()) if isinstance(value, Mapping) else value for name, value in asdict(row).items()}


def _inside(logged: Mapping[str, float], name: str) -> dict[str, float]:
    return {key.removeprefix(f"{name}/"): value for key, value in logged.items() if key.startswith(f"{name}/")}
