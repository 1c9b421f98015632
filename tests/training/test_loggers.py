"""Loggers by name."""

from pathlib import Path

import pytest

from hnm.errors import StageError
from hnm.training.loggers import by_report, callbacks, require


def test_a_logger_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    require([])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StageError, match=r"tensorboard is not installed(.|\n)*pip install tensorboard"):
        require(["tensorboard"])


def test_the_trainer_sets_up_all_but_tensorboard(tmp_path: Path) -> None:
    assert by_report(["tensorboard", "mlflow"]) == ["mlflow"]
    assert callbacks(["mlflow"], tmp_path) == []
