"""A compiled trial, with a real compiler: what it trains, and where it is cut."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from study.config.trial import TrialConfig
from study.errors import TrialError
from study.training.anytime import AnytimeLearner
from study.training.epochs import EpochTraining
from study.trial import assembly
from tests.helpers.small_trials import assert_same_trial, learner, trial
from tests.integration.test_resume_law import cut_everywhere, dropping_network

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

COMPILED: dict[str, Any] = {"training__compile": True, "training__device": "cpu"}


def deep_network() -> nn.Module:
    """With a convolution that is done as matrix products in bf16 where the processor has them."""
    return nn.Sequential(
        nn.Conv2d(3, 128, 3, stride=2, padding=1),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.Conv2d(128, 128, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(128, 4),
    )


def run_whole(config: TrialConfig, build: Callable[[], nn.Module]) -> AnytimeLearner:
    torch.compiler.reset()
    made = learner(config, build)
    for _ in made.run():
        pass
    return made


CASES: dict[str, tuple[Callable[[], nn.Module], dict[str, str]]] = {
    "fp32": (dropping_network, {}),
    "bf16": (dropping_network, {"training__precision": "bf16"}),
    "bf16, from scratch": (
        dropping_network,
        {"training__precision": "bf16", "training__start": "scratch"},
    ),
    "bf16, matrix products": (deep_network, {"training__precision": "bf16"}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_compiled_trial_that_is_cut_ends_as_one_that_is_not(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, settings = CASES[case]
    if build is deep_network:  # on whatever processor
        monkeypatch.setattr(assembly, "resolve_kernels", lambda *_: "matrix_products")
    config = trial(**settings, **COMPILED)
    whole = run_whole(config, build)

    def fresh() -> AnytimeLearner:
        torch.compiler.reset()  # as in another process
        return learner(config, build)

    cut, _ = cut_everywhere(fresh, tmp_path)
    assert_same_trial(cut, whole)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_trains_as_one_that_is_not_compiled(precision: str) -> None:
    settings = {"training__precision": precision}
    compiled = run_whole(trial(**settings, **COMPILED), deep_network).history.epochs
    plain = run_whole(trial(**settings), deep_network).history.epochs
    losses = [[epoch.metrics["train_loss"] for epoch in each] for each in (compiled, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4 if precision == "fp32" else 0.05)
    assert losses[0] != losses[1]  # else nothing was compiled


def test_it_is_compiled_once_whatever_sizes_mini_batches_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And a network that begins anew is not compiled anew."""
    torch.compiler.reset()
    sizes: set[int] = set()
    made = learner(trial(training__start="scratch", **COMPILED), dropping_network)
    before = EpochTraining.__init__

    def noted(self: EpochTraining, **given: Any) -> None:
        before(self, **given)
        forward = self.forward
        assert forward is not None

        def called(images: torch.Tensor) -> torch.Tensor:
            sizes.add(len(images))
            return forward(images)

        object.__setattr__(self, "forward", called)

    monkeypatch.setattr(EpochTraining, "__init__", noted)
    num_compiled = []

    def backend(graph: torch.fx.GraphModule, _: object) -> Any:
        num_compiled.append(graph)
        return graph.forward

    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda m, **how: compile_(m, backend=backend, **how))
    made.network._use(made.network.model)
    for _ in made.run():
        pass
    assert len(sizes) == 1
    assert len(num_compiled) == 1


def test_a_compiler_that_fails_is_named_with_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.compiler.reset()

    def broken(*_: object) -> Any:
        raise ValueError("no such instruction\nand much more")

    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda m, **how: compile_(m, backend=broken, **how))
    made = learner(trial(**COMPILED), dropping_network)
    with pytest.raises(
        TrialError, match=r"training\.compile: .*no such instruction.*leave"
    ) as told:
        next(made.run())
    assert "\n" not in str(told.value)
