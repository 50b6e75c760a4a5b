"""A card is data: what it names is imported only where the user names it too."""

import sys
from pathlib import Path

import pytest
from torch import nn

from study.api import load_model
from study.config.plugins import PluginImportError
from study.errors import ExportError
from study.export.card import ModelCard
from study.export.folder import write_model
from study.export.network import NetworkSpec
from study.export.pyfunc import _load_pyfunc
from study.export.readme import code
from study.models.architecture import ARCHITECTURES
from study.pruning.mask import Mask

MODULE = "lab_of_a_test"
TEXT = """
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from study.models.architecture import ARCHITECTURES, Architecture

Path("imported").touch()


@ARCHITECTURES.register("of_a_test")
@dataclass(frozen=True)
class OfATest(Architecture):
    def build(self, image_shape, num_classes):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))
"""
SPEC = NetworkSpec(
    {"architecture": "of_a_test"}, (MODULE,), (1, 8, 8), tuple("0123456789"), (0.5,), (0.25,)
)
CARD = ModelCard(
    format="safetensors",
    network=SPEC,
    study="s",
    trial_key="abc",
    trial_number=3,
    title="",
    megabatch_index=4,
    config={"data": {"dataset": "digits", "seed": 0}},
    metrics={},
    split_sizes={"holdout": 100, "test": 0},
    layers=(),
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model's folder with the module beside the model, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(ARCHITECTURES, "_classes", dict(ARCHITECTURES._classes))
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    monkeypatch.setattr("study.export.folder.readme", lambda _: "")
    write_model(network, Mask({}), CARD, tmp_path)
    (tmp_path / f"{MODULE}.py").write_text(TEXT, encoding="utf-8")
    return tmp_path


def test_a_module_that_a_card_names_is_not_imported_and_the_error_says_how(folder: Path) -> None:
    for load in (load_model, lambda path: _load_pyfunc(str(path))):
        with pytest.raises(ExportError, match=rf"plugins=\['{MODULE}'\].*APP_STUDY_PLUGINS"):
            load(Path())
    with pytest.raises(PluginImportError, match="--plugins"):
        SPEC.build()
    assert not (folder / "imported").exists()
    assert MODULE not in sys.modules


def test_one_that_the_user_names_is_and_the_card_tells_the_call(folder: Path) -> None:
    assert load_model(".", plugins=[MODULE]).card == CARD
    assert (folder / "imported").exists()
    assert load_model(".").card == CARD  # it is known now
    assert f"load_model(Path(\".\"), plugins=['{MODULE}'])" in code(CARD)


def test_mlflow_imports_what_its_environment_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_STUDY_PLUGINS", MODULE)
    _load_pyfunc(str(folder))
    assert (folder / "imported").exists()
