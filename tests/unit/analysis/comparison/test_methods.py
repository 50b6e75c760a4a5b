"""Which trials are pairs, and what is said of those that are not."""

import re
from collections.abc import Sequence

import pytest

from analysis.comparison.methods import method_names, pairs, with_holm
from analysis.presentation.method_differences import comparison_sentence, verdict
from analysis.reports.methods import MethodsReport
from analysis.runs.study_runs import Runs
from study.results import Outcome
from tests.helpers.fake_study import FakeTrial, runs_of

METHODS = (("dense", 1.0), ("one_shot", 0.1), ("app", 0.1))


def seeds(
    num: int, methods: Sequence[tuple[str, float]] = METHODS, lengths: Sequence[int] = (4,)
) -> list[FakeTrial]:
    trials: list[FakeTrial] = []
    for t in lengths:
        for seed in range(num):
            for name, density in methods:
                harm = 0.05 + 0.004 * seed if name == "one_shot" else 0.0
                trials.append(FakeTrial(len(trials), name, t, density, seed, harm=harm))
    return trials


def study(num: int, **options: object) -> Runs:
    return runs_of(seeds(num, **options), objectives=())  # type: ignore[arg-type]  # its own


def test_a_pair_differs_in_the_method_alone() -> None:
    found = pairs(study(3, lengths=(2, 4)), "service_error")
    couples = found.frame.groupby(["a", "b"]).size().to_dict()
    assert couples == {("app", "one_shot"): 6, ("app", "dense"): 6, ("one_shot", "dense"): 6}
    assert found.num_alone == found.num_unequal == 0
    (first,) = [c for c in found.pooled() if (c.a, c.b) == ("app", "one_shot")]
    assert (first.result.num_pairs, first.result.num_strata) == (6, 2)
    assert first.density == "10 %"
    assert first.num_megabatches is None
    by_hand = [
        FakeTrial(0, "app", t, 0.1, s).errors[-1]
        - FakeTrial(0, "one_shot", t, 0.1, s, harm=0.05 + 0.004 * s).errors[-1]
        for t in (2, 4)
        for s in range(3)
    ]
    finals = pairs(study(3, lengths=(2, 4)), "final_error").frame
    assert sorted(finals[finals["b"] == "one_shot"]["difference"]) == pytest.approx(
        sorted(by_hand)
    )


def test_a_weight_more_is_another_density() -> None:
    near = (("app", 0.1), ("one_shot", 0.101), ("dense", 1.0))  # 100 and 101 of 1,000 weights
    found = pairs(study(3, methods=near), "service_error")
    assert set(found.frame["b"]) == {"dense"}
    assert found.num_alone == 6
    said = " ".join(MethodsReport().build(study(3, methods=near)).sentences)
    assert "6 finished pruned trials could not be compared with another schedule" in said


def test_less_than_half_a_weight_is_the_same_density() -> None:
    near = (("app", 0.1), ("one_shot", 0.1004))
    assert len(pairs(study(3, methods=near), "service_error").frame) == 3


def test_trials_of_other_seeds_lengths_or_models_are_no_pair() -> None:
    trials = [
        FakeTrial(0, "app", 4, 0.1, 0),
        FakeTrial(1, "one_shot", 4, 0.1, 1),
        FakeTrial(2, "one_shot", 8, 0.1, 0),
        FakeTrial(3, "one_shot", 4, 0.1, 0, architecture="other"),
        FakeTrial(4, "one_shot", 4, 0.1, 0, outcome=Outcome.EARLY_STOPPED),
    ]
    assert pairs(runs_of(trials), "service_error").frame.empty


def test_pairs_of_unequal_examples_are_left_out_and_reported() -> None:
    runs = study(2)
    runs.trials.loc[runs.trials["method"] == "app", "samples_seen"] = 20_000.0
    found = pairs(runs, "service_error")
    assert found.num_unequal == 4
    assert set(found.frame["a"]) == {"one_shot"}
    said = " ".join(MethodsReport().build(runs).sentences)
    assert "4 pairs of trials saw different numbers of examples and are left out" in said


def test_a_trial_run_twice_is_one_contestant() -> None:
    twice = [*seeds(2), FakeTrial(99, "app", 4, 0.1, 0)]
    assert len(pairs(runs_of(twice), "service_error").frame) == 6


def test_criteria_that_the_study_varies_are_part_of_the_method_but_for_dense() -> None:
    runs = study(2)
    criteria = ["snip", "magnitude"] * 3
    trials = runs.trials.assign(**{"pruning.criterion": criteria})
    named = method_names(trials)
    assert set(named[trials["method"] == "dense"]) == {"dense"}
    assert set(named[trials["method"] == "app"]) == {"app, snip", "app, magnitude"}
    same = trials.assign(**{"pruning.criterion": "snip"})
    assert set(method_names(same)) == {"dense", "one_shot", "app"}


def test_few_seeds_are_said_to_be_too_few() -> None:
    said = MethodsReport().build(study(3)).sentences
    assert said[0].startswith("app and one_shot are not separable with these seeds at 10 %")
    assert "3 pairs can give no p below 0.25, before Holm, and 7 are enough for 0.05" in said[0]


def test_enough_seeds_tell_a_real_difference_and_which_way_it_goes() -> None:
    section = MethodsReport().build(study(8))
    assert section.sentences[0].startswith(
        "app has a lower service error than one_shot at 10 % of the weights: difference −5.6"
    )
    assert "lower in 100 % of 8 pairs" in section.sentences[0]
    assert section.tables[0].rows[0][-1] == "app"
    accuracy = MethodsReport(metrics="holdout_accuracy")
    runs = study(8)
    runs.trials["holdout_accuracy"] = 1 - runs.trials["final_error"]
    turned = accuracy.build(runs)
    assert turned.sentences[0].startswith("app has a higher holdout accuracy than one_shot")
    assert turned.tables[0].rows[0][-1] == "app"


def test_a_comparison_within_one_t_names_it() -> None:
    single = pairs(study(3, lengths=(2, 4)), "service_error").in_each_setting()
    assert {c.num_megabatches for c in single} == {2, 4}


def test_no_sentence_states_a_least_p_above_the_p_beside_it() -> None:
    found = pairs(study(3, lengths=(2, 4)), "service_error").in_each_setting()
    for comparison, p in with_holm(found):
        sentence = comparison_sentence(comparison, p, "service_error", family=len(found))
        (least,) = re.findall(r"no p below ([0-9.]+)", sentence)
        assert float(least) <= p + 1e-9


def test_what_is_significant_by_holm_is_never_called_too_few_pairs() -> None:
    (comparison,) = pairs(study(6, methods=METHODS[:2]), "service_error").pooled()
    assert verdict(comparison, 0.04, "service_error", family=20) != "too few pairs"
    assert verdict(comparison, 0.06, "service_error", family=20) == "too few pairs"
