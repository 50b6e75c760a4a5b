import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.comparison.dense_baseline import Baselines
from analysis.comparison.matches import matches, smallest_as_good
from analysis.comparison.measure import measure_of
from analysis.errors import ReportError
from analysis.page.answer import answer
from analysis.runs import frames, trial_filter
from analysis.statistics import summary
from analysis.wording import percent, size
from study.results import Outcome
from tests.helpers.fake_study import FakeTrial, runs_of, usual, without_param


@pytest.mark.parametrize(("errors", "n"), [(0, 10), (1, 30), (29, 360), (180, 360), (360, 360)])
def test_the_binomial_interval_is_the_one_that_scipy_computes(errors: int, n: int) -> None:
    expected = stats.binomtest(errors, n).proportion_ci(0.95, method="wilson")
    interval = summary.wilson_interval(errors / n, n)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_rate_that_is_no_whole_number_of_examples_lies_between_its_neighbours() -> None:
    low, middle, high = (summary.wilson_interval(k / 100, 100) for k in (7, 7.5, 8))
    assert low.low < middle.low < high.low
    assert low.high < middle.high < high.high


@pytest.mark.parametrize(("rate", "n"), [(0.5, 0), (1.5, 10), (float("nan"), 10)])
def test_a_rate_of_nothing_or_beyond_its_bounds_has_no_interval(rate: float, n: int) -> None:
    with pytest.raises(ValueError, match="rate in"):
        summary.wilson_interval(rate, n)


def test_the_interval_over_seeds_is_students() -> None:
    # By hand: mean 2, deviation 1, t(0.975, 2) = 4.302653; 4.302653 / √3 = 2.484138.
    interval = summary.mean_interval([1.0, 2.0, 3.0])
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((-0.484138, 4.484138), abs=1e-5)
    assert summary.mean_interval([1.0]) is None


def _points(*rows: tuple[float, float, str]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=["service_error", "test_accuracy", "outcome"])
    return frame.assign(number=range(len(rows)))


def test_the_front_holds_what_nothing_dominates_whichever_way_is_better() -> None:
    trials = _points(
        (0.1, 0.5, "complete"),
        (0.2, 0.9, "complete"),
        (0.2, 0.8, "complete"),  # dominated
        (0.1, 0.5, "complete"),  # an equal is not dominated
        (0.3, 0.9, "complete"),  # dominated by a tie in one and a loss in the other
    )
    front = summary.pareto_front(trials, ["service_error", "test_accuracy"])
    assert front.tolist() == [True, True, False, True, False]


@pytest.mark.parametrize("outcome", ["early_stopped", "error", "interrupted", "running"])
def test_what_did_not_finish_is_never_on_the_front_nor_the_best(outcome: str) -> None:
    trials = _points((0.0, 1.0, outcome), (0.5, 0.5, "complete"), (float("nan"), 1.0, "complete"))
    front = summary.pareto_front(trials, ["service_error", "test_accuracy"])
    assert front.tolist() == [False, True, False]
    best = summary.best(trials, "service_error")
    assert best is not None
    assert best["number"] == 1


def test_the_front_agrees_with_the_definition_on_random_points() -> None:
    points = np.random.default_rng(0).integers(0, 6, size=(60, 2))
    trials = _points(*((float(a), float(b), "complete") for a, b in points))
    front = summary.pareto_front(trials, ["service_error", "test_accuracy"])
    for i, p in enumerate(points):
        dominated = any(q[0] <= p[0] and q[1] >= p[1] and tuple(q) != tuple(p) for q in points)
        assert front[i] == (not dominated)


def test_the_best_stays_within_the_limits_and_the_earliest_of_equals_wins() -> None:
    trials = _points((0.1, 0.9, "complete"), (0.3, 0.4, "complete"), (0.3, 0.2, "complete"))
    best = summary.best(trials, "service_error", at_most={"test_accuracy": 0.5})
    assert best is not None
    assert best["number"] == 1
    assert summary.best(trials, "service_error", at_most={"test_accuracy": 0.1}) is None
    most = summary.best(trials, "test_accuracy")
    assert most is not None
    assert most["number"] == 0


def test_replicates_share_a_configuration_and_other_settings_do_not() -> None:
    trials = [
        FakeTrial(0, seed=0),
        FakeTrial(1, seed=1),
        FakeTrial(2, density=0.1),
        FakeTrial(3, "one_shot"),
        FakeTrial(4, seed=2),
    ]
    groups = summary.configurations(runs_of(trials).trials)
    assert groups.tolist() == [0, 0, 1, 2, 0]


def test_params_are_numbers_and_booleans_only_where_the_whole_column_is() -> None:
    assert frames.typed(["1", None, "3", "none"]) == [1, None, 3, None]
    assert frames.typed(["1", "1e-3"]) == [1.0, 0.001]
    assert frames.typed(["True", "false"]) == [True, False]
    assert frames.typed(["1", "resnet20"]) == ["1", "resnet20"]
    assert frames.typed(["none", "full"]) == ["none", "full"]
    assert frames.typed(["None", "full"]) == [None, "full"]


def test_a_megabatch_recorded_twice_counts_once_by_its_last_record() -> None:
    part = pd.DataFrame({"trial_key": ["a", "a"], "megabatch_index": [0, 0], "density": [1, 0.5]})
    frame, doubles = frames.megabatches_frame([part])
    assert doubles == 1
    assert frame["density"].tolist() == [0.5]


def test_the_dense_baseline_is_of_equal_length_data_and_examples_and_of_the_same_seed() -> None:
    trials = [
        FakeTrial(0, "dense", 4, 1.0),
        FakeTrial(1, "dense", 8, 1.0),
        FakeTrial(2, "dense", 8, 1.0, seed=1),
        FakeTrial(3, "app", 8, 0.3, seed=1),
        FakeTrial(4, "app", 2, 0.3),
    ]
    runs = runs_of(trials)
    by = measure_of(runs)
    found = Baselines(runs, by).for_trial(runs.trials.iloc[3])
    assert found is not None
    assert found.trial["number"] == 2
    assert Baselines(runs, by).for_trial(runs.trials.iloc[4]) is None
    more = runs.trials.assign(
        samples_seen=[1e4, 1e4, 9e9, 1e4, 1e4], train_flops=[1e9, 1e9, 9e14, 1e9, 1e9]
    )
    by_examples = Baselines(dataclasses.replace(runs, trials=more), by).for_trial(more.iloc[3])
    assert by_examples is not None
    assert by_examples.trial["number"] == 1


def test_as_good_as_dense_needs_both_errors_within_the_margin() -> None:
    small = FakeTrial(2, t=8, density=0.25, harm=-0.005)
    trials = [FakeTrial(0, "dense", 8, 1.0), FakeTrial(1, "app", 8, 0.3), small]
    runs = runs_of(trials)
    by = measure_of(runs)
    smallest = smallest_as_good(matches(runs, by), by)
    assert smallest is not None
    assert smallest.trial["number"] == 2
    # A ruined last model hides in the service error, not in the final one.
    ruined = runs.trials.assign(final_error=[0.07, 0.08, 0.68])
    spoilt = dataclasses.replace(runs, trials=ruined)
    smallest = smallest_as_good(matches(spoilt, by), by)
    assert smallest is not None
    assert smallest.trial["number"] == 1


def test_the_answer_names_the_smallest_network_as_good_as_dense_at_equal_length() -> None:
    said = answer(runs_of(usual()))
    assert said[0] == (
        "The smallest network that may be as good as dense: 30 % of the weights (app, T = 8, "
        "trial 12), service error 14.6 % against dense 13.8 % [10.6, 17.7] at the same number of "
        "megabatches, final error 7.5 % against 6.7 % [4.5, 9.7]."
    )
    text = " ".join(said)
    assert "The best with at most a third of the weights: app, T = 8, trial 12" in text
    assert "The best with at most a tenth of the weights: app, T = 8, trial 13" in text
    assert "18 trials: 15 finished, 1 stopped early, 1 failed and 1 interrupted." in said
    assert "360 holdout examples" in text
    assert "optimistic" in text


def test_a_tenth_of_the_weights_may_be_half_a_weight_more() -> None:
    trials = [FakeTrial(0, "dense", 4, 1.0), FakeTrial(1, "app", 4, 0.1004)]
    said = " ".join(answer(runs_of(trials)))
    assert "a tenth of the weights: app, T = 4, trial 1" in said
    over = " ".join(answer(runs_of([trials[0], FakeTrial(1, "app", 4, 0.11)])))
    assert "No finished trial keeps a tenth" in over
    half = " ".join(answer(runs_of([trials[0], FakeTrial(1, "app", 4, 0.5)])))
    assert "No finished trial keeps a third of the weights or fewer." in half
    assert "a tenth" not in half


def test_the_answer_says_where_dense_itself_serves_best() -> None:
    trials = [
        FakeTrial(0, "dense", 2, 1.0),
        FakeTrial(1, "app", 2, 0.1),
        FakeTrial(2, "dense", 8, 1.0),
        FakeTrial(3, "app", 8, 0.3),
        FakeTrial(4, "app", 8, 0.05),
    ]
    said = answer(runs_of(trials))
    assert "30 % of the weights (app, T = 8" in said[0]
    assert not any("T = 2" in sentence for sentence in said[:2])
    spoilt = [*trials[:3], FakeTrial(3, "app", 8, 0.3, harm=0.1)]
    said = answer(runs_of([*spoilt, FakeTrial(4, "app", 2, 0.5)]))
    assert "(app, T = 2, trial 4)" in said[0]
    assert said[1] == "At T = 8, where dense serves best, no pruned network looks as good."


def test_a_search_for_one_objective_is_answered_by_its_winner() -> None:
    said = answer(runs_of(usual(), objectives=("service_error",)))
    assert said[0].startswith("The lowest service error: 13.8 % [10.6, 17.7], with 100 % of the")


def test_means_of_arms_that_would_be_called_the_same_say_what_differs() -> None:
    trials = [FakeTrial(n, "app", seed=n // 2) for n in range(4)]
    runs = runs_of(trials, objectives=())
    apart = runs.trials.assign(**{"training.precision": ["fp32", "bf16"] * 2})
    said = answer(dataclasses.replace(runs, trials=apart))[:2]
    assert {sentence.partition(":")[0] for sentence in said} == {
        f"app, T = 4, 20 % of the weights, training.precision = {precision}"
        for precision in ("fp32", "bf16")
    }


def test_a_study_without_search_is_answered_by_means_over_seeds() -> None:
    trials = [
        FakeTrial(2 * seed + i, name, 8, density, seed)
        for seed in range(3)
        for i, (name, density) in enumerate((("dense", 1.0), ("app", 0.1)))
    ]
    said = answer(runs_of(trials, objectives=()))
    assert said[0].startswith(
        "dense, T = 8, 100 % of the weights: service error 14.1 % (mean over"
    )
    assert said[1].startswith("app, T = 8, 10 % of the weights")
    assert not any("optimistic" in sentence for sentence in said)


def test_without_the_size_of_the_holdout_nothing_is_called_as_good_as_dense() -> None:
    said = " ".join(answer(without_param(usual(), "data.holdout_size")))
    assert "size of the holdout split is not recorded" in said
    assert "smallest network that is as good" not in said
    assert "The lowest service error" in said


def test_a_study_that_selected_on_test_is_warned_of() -> None:
    said = answer(runs_of(usual(), objectives=("test_service_error",)))
    assert any(
        sentence.startswith("Warning: this study selected on the test") for sentence in said
    )


def test_a_study_in_which_nothing_finished_says_so_and_why() -> None:
    failed = [FakeTrial(i, outcome=Outcome.ERROR, megabatches=0, reason="boom") for i in range(2)]
    assert answer(runs_of(failed)) == (
        "No trial has finished, so there is no answer yet: 2 failed.",
        "Most common failure (2 times): boom",
    )
    assert answer(runs_of([])) == ("The study has no trial yet, so there is no answer yet.",)


def test_conditions_are_compared_as_what_the_column_holds() -> None:
    trials = runs_of(usual()).trials

    def numbers(*conditions: str) -> list[int]:
        return [int(n) for n in trial_filter.where(trials, conditions)["number"]]

    assert numbers("pruning.schedule=dense") == [0, 5, 10]
    assert numbers("pruning.schedule = DENSE", "stream.num_megabatches>=4") == [5, 10]
    assert numbers("pruning.final_density<0.02") == [4, 9, 14]
    assert numbers("training.nesterov=true") == []
    assert numbers("outcome!=complete") == [15, 16, 17]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("pruning.shedule=app", "did you mean 'pruning.schedule'"),
        ("nonsense", "is no condition"),
        ("pruning.final_density=small", "holds numbers"),
        ("method<app", "holds no numbers"),
    ],
)
def test_a_condition_that_cannot_be_met_is_refused(condition: str, words: str) -> None:
    with pytest.raises(ReportError, match=words):
        trial_filter.where(runs_of(usual()).trials, [condition])


def test_sorting_puts_the_best_first_and_what_is_missing_last() -> None:
    trials = runs_of(usual()).trials
    ordered = trial_filter.ordered(trials, ["service_error"])
    assert ordered["number"].iloc[0] == 10
    assert ordered["service_error"].iloc[-3:].isna().all()
    turned = trial_filter.ordered(trials, ["-service_error"])
    assert turned["number"].iloc[0] == 4
    assert turned["service_error"].iloc[-3:].isna().all()
    nested = trial_filter.ordered(trials, ["stream.num_megabatches", "density"])
    assert nested["number"].iloc[:2].tolist() == [4, 3]


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0812, "8.1 %"), (0.0, "0 %"), (1.0, "100 %"), (0.00123, "0.12 %"), (0.3, "30.0 %")],
)
def test_errors_have_one_digit_after_the_point(value: float, words: str) -> None:
    assert percent(value) == words


@pytest.mark.parametrize(
    ("value", "words"), [(0.1234, "12 %"), (0.0341, "3.4 %"), (0.001, "0.1 %"), (1.0, "100 %")]
)
def test_sizes_have_two_digits(value: float, words: str) -> None:
    assert size(value) == words
