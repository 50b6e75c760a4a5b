"""Arrivals that wait: training.at, and what a model is trained on and charged for then."""

import itertools
from typing import Any

import pytest
import torch

from study.config.problems import ConfigError
from study.example_errors import ExampleErrors
from study.results import MegabatchRecord
from study.training.anytime import AnytimeLearner
from tests.helpers.small_trials import learner, trained, trial

PURE: dict[str, Any] = {
    "training__start": "scratch",
    "training__mask": "restart",
    "training__epochs": None,
    "training__samples_per_model": 96,
    "stream__num_megabatches": 6,
    "pruning__criterion": "snip",
}
AT = (1, 4)


def served(made: AnytimeLearner, metric: str) -> list[float]:
    return [m.metrics.get(metric, -1.0) for m in made.history.megabatches]


def same_weights(one: AnytimeLearner, other: AnytimeLearner) -> bool:
    states = one.model.state_dict(), other.model.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def cost_of_each(made: AnytimeLearner, metric: str) -> list[float]:
    total = [0.0, *served(made, metric)]
    return [after - before for before, after in itertools.pairwise(total)]


@pytest.fixture(scope="module")
def at_all() -> AnytimeLearner:
    return trained(trial(**PURE))


@pytest.fixture(scope="module")
def at_some() -> AnytimeLearner:
    return trained(trial(**PURE, training__at=AT))


def test_a_model_from_scratch_depends_on_nothing_but_what_has_arrived(
    at_all: AnytimeLearner, at_some: AnytimeLearner
) -> None:
    for metric in ("holdout_error_rate", "test_error_rate", "validation_error_rate", "density"):
        assert [served(at_some, metric)[k] for k in AT] == [served(at_all, metric)[k] for k in AT]
    for k in AT:
        alone = trained(trial(**PURE, training__at=(k,)))
        both = at_all.history.megabatches[k], alone.history.megabatches[k]
        assert both[0].example_errors == both[1].example_errors
        assert both[0].kept_epoch_index == both[1].kept_epoch_index
        assert cost_of_each(alone, "train_flops")[k] == cost_of_each(at_all, "train_flops")[k]
    last = trained(trial(**PURE, training__at=(5,)))
    assert same_weights(at_all, last)


def test_what_waits_costs_nothing_and_leaves_in_service_what_was_there(
    at_some: AnytimeLearner,
) -> None:
    assert [m.is_trained for m in at_some.history.megabatches] == [k in AT for k in range(6)]
    for metric in ("samples_seen", "samples_scored", "train_flops", "train_flops_sparse"):
        spent = cost_of_each(at_some, metric)
        assert [k for k in range(6) if spent[k]] == list(AT)
    for metric in ("holdout_error_rate", "density", "asked_density", "forward_flops"):
        values = served(at_some, metric)[1:]
        assert values[:3] == [values[0]] * 3
        assert values[3:] == [values[3]] * 2
    outcomes = [m.example_errors.get("holdout") for m in at_some.history.megabatches]
    assert outcomes[1] == outcomes[2] == outcomes[3]
    assert outcomes[4] == outcomes[5] != outcomes[3]


def test_before_the_first_model_a_guess_serves(at_some: AnytimeLearner) -> None:
    first: MegabatchRecord = at_some.history.megabatches[0]
    assert first.metrics["holdout_error_rate"] == pytest.approx(0.75)
    assert first.metrics["test_error_rate"] == pytest.approx(0.75)
    assert first.metrics["samples_seen"] == 0
    assert not first.example_errors
    assert not first.layers


def test_the_service_error_is_of_what_is_in_service(at_some: AnytimeLearner) -> None:
    errors = served(at_some, "holdout_error_rate")
    wrong = [
        ExampleErrors.from_text(m.example_errors["holdout"]).num_wrong
        for m in at_some.history.megabatches[1:]
    ]
    assert [round(e * len(at_some.data.holdout)) for e in errors[1:]] == wrong
    waiting = sum([0.75, *errors[:-1]]) / 6
    expected = (waiting + errors[-1]) / 2
    assert at_some.history.megabatches[-1].summary["service_error"] == pytest.approx(expected)


def test_what_has_waited_is_trained_on_as_the_newest_part() -> None:
    config = trial(stream__replay="none", stream__num_megabatches=6, training__at=(1, 4))
    made = learner(config)
    parts = [set(m.train.tolist()) for m in made.data.megabatches]
    train, validation = made._training_plan.examples(4)
    assert set(train.tolist()) == parts[2] | parts[3] | parts[4]
    waited = {i for m in made.data.megabatches[2:5] for i in m.validation.tolist()}
    assert set(validation.tolist()) == waited


def test_a_newest_part_is_scored_with_what_has_waited() -> None:
    config = trial(
        stream__num_megabatches=6, training__at=(4,), saliency__source="newest",
        saliency__fraction=1.0, training__epochs=1, pruning__criterion="snip",
    )  # fmt: skip
    made = trained(config)
    arrived = sum(len(m.train) for m in made.data.megabatches[:5])
    assert served(made, "samples_scored")[-1] == arrived


def test_a_budget_is_shared_by_the_arrivals_that_are_trained_after() -> None:
    config = trial(
        stream__num_megabatches=6, training__at=AT, training__epochs=None,
        training__total_samples=900,
    )  # fmt: skip
    made = trained(config)
    assert served(made, "samples_seen")[-1] == 900
    pools = [sum(len(m.train) for m in made.data.megabatches[: k + 1]) for k in AT]
    first = served(made, "samples_seen")[1]
    assert first == pytest.approx(900 * pools[0] / sum(pools), abs=1)


def test_what_trains_on_from_a_first_model_after_a_later_arrival_is_as_usual() -> None:
    for start in ("continue", "shrink_perturb", "rewind", "scratch"):
        made = trained(
            trial(training__start=start, stream__num_megabatches=5, training__at=(2, 4))
        )
        assert [m.is_trained for m in made.history.megabatches] == [
            False,
            False,
            True,
            False,
            True,
        ]
        assert served(made, "density")[-1] < served(made, "density")[2]


def test_examples_of_a_model_do_not_depend_on_the_pool() -> None:
    made = trained(trial(**{**PURE, "pruning__criterion": "magnitude"}))
    assert cost_of_each(made, "samples_seen") == [96.0] * 6


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ((), "no arrival"),
        ((3, 1), "must rise"),
        ((1, 1), "must rise"),
        ((0, 8), "0 to 7"),
        ((-1,), "counted from 0"),
        ("some", "all, or a list of arrivals"),
        ((0.5,), "counted from 0"),
        (True, "counted from 0"),
        (3, "counted from 0"),
    ],
)
def test_arrivals_that_are_none_are_refused(at: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=r"training\.at") as refused:
        trial(stream__num_megabatches=8, training__at=at)
    assert words in str(refused.value)
