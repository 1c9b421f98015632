"""Training logs to TensorBoard, MLflow, W&B or trackio, through transformers' own callbacks."""

from collections.abc import Sequence
from pathlib import Path

from transformers import TrainerCallback
from transformers.integrations.integration_utils import TensorBoardCallback, get_available_reporting_integrations

from hnm.errors import StageError


def require(loggers: Sequence[str]) -> None:
    """Raises StageError for a logger whose package is not installed."""
    installed = get_available_reporting_integrations()  # type: ignore[no-untyped-call]  # untyped there
    for name in loggers:
        if name not in installed:
            raise StageError(f"log_to: {name} is not installed", hint=f"pip install {name}")


def by_report(loggers: Sequence[str]) -> list[str]:
    """Those that the trainer sets up itself: they go where their own settings in the environment say."""
    return [name for name in loggers if name != "tensorboard"]


def callbacks(loggers: Sequence[str], folder: Path) -> list[TrainerCallback]:
    """TensorBoard's, which writes to `folder`: the trainer would write among its checkpoints, which do not stay."""
    if "tensorboard" not in loggers:
        return []
    board = TensorBoardCallback()  # type: ignore[no-untyped-call]  # untyped there
    board.logging_dir = str(folder)
    return [board]
