"""Which budgets are equal."""

from dataclasses import replace

import pytest

from analysis.comparison.dense_baseline import budgets
from analysis.comparison.matches import matches
from analysis.comparison.measure import measure_of
from analysis.runs.study_runs import Runs
from tests.helpers.fake_study import FakeTrial, runs_of


def scored(*, by_epochs: bool) -> Runs:
    """Dense, and a trial that scored a thousand examples out of its budget, or on top of it."""
    runs = runs_of([FakeTrial(0, "dense", 4, 1.0), FakeTrial(1, "app", 4, 0.3)])
    trials = runs.trials.assign(samples_scored=[0.0, 1000.0])
    if by_epochs:
        trials = trials.assign(
            **{
                "samples_seen": [10_000.0, 11_000.0],
                "train_flops": [1e9, 1.1e9],
                "training.total_samples": None,
            }
        )
    return replace(runs, trials=trials)


@pytest.mark.parametrize("by_epochs", [True, False])
def test_scoring_is_no_reason_to_have_no_baseline(by_epochs: bool) -> None:
    runs = scored(by_epochs=by_epochs)
    assert [spent.examples for spent in budgets(runs.trials)] == [10_000, 10_000]
    assert [spent.flops for spent in budgets(runs.trials)] == pytest.approx([1e9, 1e9])
    (match,) = matches(runs, measure_of(runs))
    assert match.baseline.trial["number"] == 0
    assert match.baseline.equal_budget == ""


def test_a_length_that_no_trial_has_is_none_of_theirs_however_it_is_written() -> None:
    """A column of nothing but "none" is read as text."""
    runs = scored(by_epochs=True)
    none = {f"training.{name}": "none" for name in ("total_samples", "total_flops")}
    written = replace(runs, trials=runs.trials.assign(**none))
    assert [spent.examples for spent in budgets(written.trials)] == [10_000, 10_000]
    assert len(matches(written, measure_of(written))) == 1


def test_who_trained_on_more_is_no_baseline() -> None:
    runs = scored(by_epochs=True)
    more = runs.trials.assign(samples_seen=[10_000.0, 12_000.0], train_flops=[1e9, 1.2e9])
    assert matches(replace(runs, trials=more), measure_of(runs)) == []


def test_who_trained_on_more_at_equal_flops_has_a_baseline_and_it_is_said() -> None:
    runs = runs_of([FakeTrial(0, "dense", 4, 1.0), FakeTrial(1, "app", 4, 0.3)])
    more = runs.trials.assign(samples_seen=[10_000.0, 15_000.0])
    (match,) = matches(replace(runs, trials=more), measure_of(runs))
    assert match.baseline.equal_budget == "equal FLOPs"
