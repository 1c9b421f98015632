"""What `hnm model list` says before there is a model."""

import pytest
from tiny_project import TinyProject

from hnm.cli.model_view import print_models

STAGE = """
          - name: {name}
            transform: train_cross_encoder
            inputs: {{triplets: ref(documents)}}
            params: {{model: reranker_en, negatives: [{{strategies: [a], per_group: 1}}]}}
            tags: [{tag}]
"""


def test_an_experiments_models_are_not_proposed(tiny: TinyProject, capsys: pytest.CaptureFixture[str]) -> None:
    path = tiny.root / "pipelines/tiny.yml"
    text = path.read_text(encoding="utf-8")
    for name, tag in (("usual", "x"), ("cell", "experiment")):
        text += STAGE.format(name=name, tag=tag).replace("\n          ", "\n  ").rstrip() + "\n"
    path.write_text(text, encoding="utf-8")
    print_models([], tiny.load())
    assert capsys.readouterr().err == "no model is built; `hnm run --select '+usual'` trains\n"
