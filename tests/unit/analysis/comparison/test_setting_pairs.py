"""The values of one setting compared, all else equal."""

import dataclasses

import pytest

from analysis.comparison.setting_pairs import changed_with, companions, setting_pairs
from analysis.errors import ReportError
from analysis.reports.methods.report import MethodsReport
from analysis.runs.study_runs import Runs
from tests.helpers.fake_study import FakeTrial, runs_of

METRIC = "service_error"


def started(starts: dict[str, float], seeds: int = 6) -> Runs:
    """Dense and APP trials under each start, which adds so much to every error."""
    trials, values = [], []
    for method, density in (("dense", 1.0), ("app", 0.1)):
        for start, harm in starts.items():
            for seed in range(seeds):
                jitter = 0.0028 * (seed % 3)
                number = len(trials)
                trials.append(
                    FakeTrial(number, method, 4, density, seed, harm=harm + jitter * (harm > 0))
                )
                values.append(start)
    runs = runs_of(trials, objectives=())
    masks = ["restart" if v == "scratch" else None for v in values]
    frame = runs.trials.assign(**{"training.start": values, "training.mask": masks})
    return dataclasses.replace(runs, trials=frame)


def test_values_are_compared_under_each_method_in_pairs_of_one_seed() -> None:
    found = setting_pairs(started({"continue": 0.0, "scratch": 0.05}), "training.start", METRIC)
    each = found.in_each_method()
    assert {(c.a, c.b, c.density) for c in each} == {
        ("dense, scratch", "dense, continue", "100 %"),
        ("app, scratch", "app, continue", "10 %"),
    }
    for comparison in each:
        assert comparison.differing == ("training.mask restart against none",)
        assert comparison.result.num_pairs == 6
        assert comparison.result.estimate == pytest.approx(0.05, abs=0.01)


def test_settings_that_belong_to_a_value_go_with_it() -> None:
    runs = started({"continue": 0.0, "scratch": 0.05})
    assert companions(runs.trials, "training.start") == ("training.mask",)


def test_a_value_that_comes_in_two_forms_is_told_apart_by_them() -> None:
    runs = started({"continue": 0.0, "scratch": 0.05})
    masks = runs.trials["training.mask"].where(runs.trials["seed"] < 3, "keep")
    frame = runs.trials.assign(
        **{"training.mask": masks.where(runs.trials["training.start"] == "scratch")}
    )
    found = setting_pairs(dataclasses.replace(runs, trials=frame), "training.start", METRIC)
    assert {c.a for c in found.in_each_method() if c.b == "app, continue"} == {
        "app, scratch, mask = restart",
        "app, scratch, mask = keep",
    }


def test_settings_that_change_together_are_compared_together_and_not_alone() -> None:
    runs = started({"continue": 0.0, "scratch": 0.05})
    rates = runs.trials["training.start"].map({"continue": 0.1, "scratch": 0.01})
    runs = dataclasses.replace(runs, trials=runs.trials.assign(**{"training.lr": rates}))
    assert not setting_pairs(runs, "training.start", METRIC).rows
    assert changed_with(runs.trials, "training.start") == ("training.lr",)
    both = setting_pairs(runs, "training.start,training.lr", METRIC).in_each_method()
    assert {(c.a, c.b) for c in both} == {
        ("dense, scratch", "dense, continue"),
        ("app, scratch", "app, continue"),
    }
    assert not any(c.differing for c in both)
    alone = MethodsReport(compare="training.start").build(runs).sentences
    assert any("--compare training.start,training.lr compares them together" in s for s in alone)


def test_of_many_values_each_is_compared_with_the_first_alone() -> None:
    starts = {"continue": 0.0, "scratch": 0.02, "shrink_perturb": 0.03, "rewind": 0.04}
    found = setting_pairs(started(starts), "training.start", METRIC)
    assert {c.b for c in found.over_methods()} == {"continue"}
    assert len(found.in_each_method()) == 6
    three = setting_pairs(started(dict(list(starts.items())[:3])), "training.start", METRIC)
    assert len(three.in_each_method()) == 6


def test_what_differs_in_anything_else_is_no_pair() -> None:
    runs = started({"continue": 0.0, "scratch": 0.05})
    rates = ["0.1" if start == "scratch" else "0.2" for start in runs.trials["training.start"]]
    apart = dataclasses.replace(runs, trials=runs.trials.assign(**{"training.lr": rates}))
    assert not setting_pairs(apart, "training.start", METRIC).rows


def test_unequal_budgets_are_left_out_and_counted() -> None:
    runs = started({"continue": 0.0, "scratch": 0.05})
    more = runs.trials["training.start"] == "scratch"
    columns = {n: runs.trials[n].where(~more, 1.5 * runs.trials[n]) for n in
               ("samples_seen", "train_flops")}  # fmt: skip
    found = setting_pairs(
        dataclasses.replace(runs, trials=runs.trials.assign(**columns)), "training.start", METRIC
    )
    assert not found.rows
    assert found.num_unequal == 12


def test_a_setting_that_the_study_does_not_vary_is_refused_with_those_that_it_does() -> None:
    with pytest.raises(ReportError, match=r"does not vary 'training\.lr'.*training\.start"):
        setting_pairs(started({"continue": 0.0, "scratch": 0.1}), "training.lr", METRIC)


def test_the_report_says_what_is_shown_and_on_what_it_depends() -> None:
    section = MethodsReport(compare="training.start").build(
        started({"continue": 0.0, "scratch": 0.05}, seeds=9)
    )
    said = " ".join(section.sentences)
    assert "app, scratch is worse than app, continue at 10 % of the weights" in said
    assert "What scratch changes of the service error against continue" in said
    assert len(section.tables[0].rows) == 2
    assert section.figures
