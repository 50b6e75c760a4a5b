import logging
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from study.errors import TrialError
from study.example_errors import ExampleErrors
from study.pruning.scoring import CRITERIA, Criterion, ScoringContext
from study.results import EpochRecord, MegabatchRecord
from study.training.anytime import AnytimeLearner
from tests.helpers.small_trials import learner, numbers, trained, trial


@dataclass(frozen=True)
class CutsFirstLayer(Criterion):
    """Ranks the first layer last."""

    def scores(self, context: ScoringContext) -> dict[str, Tensor]:
        return {
            name: torch.full(mask.shape, float(index > 0))
            for index, (name, mask) in enumerate(context.mask.tensors.items())
        }


@dataclass(frozen=True)
class Refuses(Criterion):
    """Applies to nothing."""

    def scores(self, context: ScoringContext) -> dict[str, Tensor]:
        raise ValueError(f"it does not apply to {len(context.mask.tensors)} layers")


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {**CRITERIA._classes, "cuts_first_layer": CutsFirstLayer, "refuses": Refuses}
    monkeypatch.setattr(CRITERIA, "_classes", own)


@pytest.mark.usefixtures("registered")
def test_a_layer_that_is_cut_off_is_told_once_when_it_happens(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = trial(
        pruning__criterion="cuts_first_layer",
        pruning__schedule="one_shot",
        pruning__final_density=0.01,
    )
    made = learner(config)
    with caplog.at_level(logging.WARNING):
        next(made.run())
        assert "1.weight" in caplog.text
        assert config.key() in caplog.text
        for _ in made.run():
            pass
    assert len(caplog.records) == 1


@pytest.mark.usefixtures("registered")
def test_a_criterion_that_does_not_apply_fails_the_trial_with_its_reason() -> None:
    with pytest.raises(TrialError, match="pruning at megabatch 0: it does not apply to 2 layers"):
        trained(trial(pruning__criterion="refuses"))


def test_records_come_in_order_and_the_last_one_sums_the_trial_up() -> None:
    made = learner(trial())
    records = list(made.run())
    kinds = [type(record) for record in records]
    assert kinds == [EpochRecord, EpochRecord, MegabatchRecord] * 3
    assert [r.is_last for r in made.history.megabatches] == [False, False, True]
    assert made.history.megabatches[-1].stream_fraction == 1.0
    assert made.position == len(records)
    assert list(made.run()) == []


def test_the_learning_rate_restarts_with_every_megabatch() -> None:
    made = trained(trial(training__epochs=4, training__lr_milestones=(0.5,)))
    rates = [epoch.metrics["lr"] for epoch in made.history.epochs]
    assert rates == pytest.approx([0.05, 0.05, 0.005, 0.005] * 3)


def test_exactly_the_examples_that_were_asked_for_go_through_sgd() -> None:
    made = trained(trial(training__epochs=None, training__total_samples=777))
    assert made.history.megabatches[-1].metrics["samples_seen"] == 777
    assert made.history.epochs[-1].metrics["samples_seen"] == 777


@pytest.mark.parametrize(
    ("criterion", "changes"),
    [
        ("magnitude", {}),
        ("magnitude", {"pruning__regrow": 0.1}),
        ("snip", {}),
        ("snip", {"pruning__rounds": 3}),
        ("taylor", {"saliency__source": "newest"}),
        ("snip", {"pruning__control": "shuffle_within_layers"}),
        ("synflow", {"pruning__rounds": 5}),
        ("snip", {"pruning__schedule": "one_shot"}),
    ],
)
@pytest.mark.parametrize("budget", [{"training__total_samples": 900}, {"training__epochs": 2}])
def test_what_is_charged_is_what_goes_forward_and_backward(
    criterion: str, changes: dict[str, Any], budget: dict[str, Any]
) -> None:
    """Counted at the network itself; evaluation runs without gradients."""
    config = trial(
        **({"pruning__criterion": criterion, "training__epochs": None} | changes | budget)
    )
    made = learner(config)
    passed: list[int] = []

    def count(_: torch.nn.Module, inputs: tuple[Tensor, ...], __: Tensor) -> None:
        if torch.is_grad_enabled():
            passed.append(len(inputs[0]))

    made.model.register_forward_hook(count)  # copies that are scored have it too
    for _ in made.run():
        pass
    last = made.history.megabatches[-1].metrics
    assert last["samples_seen"] == sum(passed)
    assert (last["samples_scored"] > 0) == (
        criterion != "magnitude" or "pruning__regrow" in changes
    )
    if "training__total_samples" in budget:
        assert last["samples_seen"] == 900
    per_image = last["forward_flops"]
    assert last["train_flops"] == 3 * per_image * sum(passed)


def test_grasp_and_fisher_are_charged_two_passes_and_an_event_that_prunes_nothing_none() -> None:
    snip, grasp, fisher = (
        [
            m.metrics["samples_scored"]
            for m in trained(trial(pruning__criterion=name)).history.megabatches
        ]
        for name in ("snip", "grasp", "fisher")
    )
    assert grasp == fisher == [2 * scored for scored in snip]
    once = trained(trial(pruning__criterion="snip", pruning__schedule="one_shot"))
    scored = [m.metrics["samples_scored"] for m in once.history.megabatches]
    assert scored[0] == scored[-1] > 0


def test_costs_only_grow_and_a_pruned_network_costs_less() -> None:
    metrics = [m.metrics for m in trained(trial()).history.megabatches]
    for name in ("samples_seen", "train_flops", "train_flops_sparse"):
        values = [m[name] for m in metrics]
        assert values == sorted(values)
    assert metrics[-1]["train_flops_sparse"] < metrics[-1]["train_flops"]


def test_what_is_not_there_is_not_measured() -> None:
    config = trial(data__holdout_fraction=0.0, stream__validation_fraction=0.0)
    last = trained(config).history.megabatches[-1]
    names = {*last.metrics, *last.summary}
    assert not {"holdout_error_rate", "service_error", "validation_accuracy"} & names
    assert {"test_error_rate", "test_service_error", "final_density"} <= names


def test_a_new_optimiser_begins_without_momentum_only_where_asked_for() -> None:
    for reset in (True, False):
        made = learner(trial(training__reset_optimizer=reset, stream__num_megabatches=2))
        run = made.run()
        before = None
        for record in run:
            if isinstance(record, MegabatchRecord) and before is None:
                before = made.network.optimiser
        assert (made.network.optimiser is not before) == reset


def test_compilation_needs_a_compiler_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ValueError, match=r"C\+\+ compiler .* no no-such-compiler here"):
        learner(trial(training__compile=True, training__device="cpu"))


def test_a_compiled_forward_pass_is_what_trains() -> None:
    made = learner(trial())
    spec = replace(made.spec, training=replace(made.spec.training, compile=True))
    with torch.compiler.set_stance("force_eager"):  # the path, without a compiler
        compiled = AnytimeLearner(made.data, made.network._build_model, spec, made.device)
        for one, other in zip(made.run(), compiled.run(), strict=True):
            assert type(one) is type(other)
    assert numbers(compiled.history) == numbers(made.history)


def test_outcomes_by_example_add_up_to_the_error_rates() -> None:
    made = trained(trial())
    sizes = {"holdout": len(made.data.holdout), "test": len(made.data.test)}
    for record in made.history.megabatches:
        assert set(record.example_errors) == {"holdout", "test"}
        for split, text in record.example_errors.items():
            errors = ExampleErrors.from_text(text)
            assert errors.num_examples == sizes[split]
            assert errors.num_wrong / sizes[split] == record.metrics[f"{split}_error_rate"]
