"""Plug-ins that a notebook or a script defines, and those that workers could not import."""

from collections.abc import Iterator
from dataclasses import dataclass

import cloudpickle
import pytest
from torch import nn

from study.config.plugins import load_builtin_plugins
from study.config.problems import ConfigError
from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.models.architecture import ARCHITECTURES, Architecture
from study.trial.program_plugins import program_plugins, register_plugins

load_builtin_plugins()

TRAINING = {"data.dataset": "synthetic", "training.epochs": 1}


@dataclass(frozen=True)
class Own(Architecture):
    """A network of somebody's."""

    def build(self, image_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
        channels, height, width = image_shape
        return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, num_classes))


@pytest.fixture
def defined_in(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """The network is registered from this module."""
    monkeypatch.setattr(Own, "__module__", request.param)
    monkeypatch.setattr(Own.build, "__module__", request.param)
    ARCHITECTURES.register("own")(Own)
    yield
    del ARCHITECTURES._classes["own"]


def study(*plugins: str) -> StudyConfig:
    return parse_study(
        {
            "name": "small",
            "fixed": {"pruning.final_density": 0.5, **TRAINING},
            "axes": {"model.architecture": ["mlp", "own"]},
            "plugins": list(plugins),
        }
    )


@pytest.mark.parametrize("defined_in", ["__main__"], indirect=True)
@pytest.mark.usefixtures("defined_in")
def test_what_the_program_defines_is_sent_and_registered_where_it_arrives() -> None:
    (sent,) = program_plugins(study())
    assert (sent.path, sent.name, sent.cls) == ("model.architecture", "own", Own)
    del ARCHITECTURES._classes["own"]
    register_plugins([sent])
    assert ARCHITECTURES.get("own") is Own


@pytest.mark.parametrize("defined_in", ["__main__"], indirect=True)
@pytest.mark.usefixtures("defined_in")
def test_it_is_pickled_by_value() -> None:
    # Its code and not its name alone, which a worker could not find in its own __main__.
    assert b"Linear" in cloudpickle.dumps(program_plugins(study()))


@pytest.mark.parametrize("defined_in", ["my_lab.networks"], indirect=True)
@pytest.mark.usefixtures("defined_in")
def test_what_comes_from_a_module_that_workers_do_not_import_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"write plugins: \[my_lab\.networks\]"):
        program_plugins(study())
    assert program_plugins(study("my_lab.networks")) == ()


def test_ours_need_nothing() -> None:
    raw = {"name": "s", "fixed": {"pruning.final_density": 0.5, **TRAINING}}
    assert program_plugins(parse_study(raw)) == ()
