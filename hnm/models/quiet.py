"""Keep the model libraries from writing to the terminal: hnm shows its own progress."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """No progress bars, loading reports or notes below errors from transformers, sentence-transformers and datasets."""
    import datasets
    from transformers.utils import logging as transformers_logging

    bars = transformers_logging.is_progress_bar_enabled()
    levels = {name: logging.getLogger(name).level for name in ("transformers", "sentence_transformers", "datasets")}
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # untyped there
    dataset_bars = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]  # untyped there
        if dataset_bars:
            datasets.enable_progress_bars()
