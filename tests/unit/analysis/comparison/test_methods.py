"""Which trials are pairs, and what is said of those that are not."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.comparison.dense_baseline import DENSE
from analysis.comparison.methods import method_names, pairs
from analysis.reports.methods.report import MethodsReport
from analysis.runs.study_runs import Runs
from study.results import Outcome
from study.tracking import names
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
    assert (first.result.num_pairs, len(first.result.strata)) == (6, 2)
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


def budgeted(app: float, flops: float) -> Runs:
    """Three methods, of which app saw so many examples for so many FLOPs."""
    runs = study(2)
    is_app = runs.trials["method"] == "app"
    runs.trials.loc[is_app, "samples_seen"] = app
    runs.trials.loc[is_app, "train_flops"] = flops
    return runs


def test_pairs_of_unequal_budgets_are_left_out_and_reported() -> None:
    runs = budgeted(20_000.0, 2e9)
    found = pairs(runs, "service_error")
    assert found.num_unequal == 4
    assert set(found.frame["a"]) == {"one_shot"}
    said = " ".join(MethodsReport().build(runs).sentences)
    assert "4 pairs of trials had neither equal examples nor equal FLOPs, and are left out" in said


@pytest.mark.parametrize(
    ("seen", "flops", "words"),
    [(20_000.0, 1e9, " and equal FLOPs"), (10_000.0, 4e8, " and equal examples")],
)
def test_a_network_that_gets_smaller_is_compared_at_equal_examples_or_flops_and_it_is_said(
    seen: float, flops: float, words: str
) -> None:
    runs = budgeted(seen, flops)
    found = pairs(runs, "service_error")
    assert found.num_unequal == 0
    assert {c.equal_budget for c in found.pooled() if "app" in (c.a, c.b)} == {words[5:]}
    assert {c.equal_budget for c in found.pooled() if "app" not in (c.a, c.b)} == {""}
    said = " ".join(MethodsReport().build(runs).sentences)
    assert f"app against dense at 10 % of the weights{words}" in said


def test_networks_that_miss_the_density_they_were_asked_for_are_of_equal_density() -> None:
    missed = (("app", 0.104), ("one_shot", 0.1), ("dense", 1.0))
    runs = study(3, methods=missed)
    asked = {"app": 0.1, "one_shot": 0.1, "dense": 1.0}
    runs.trials["asked_density"] = runs.trials["method"].map(asked)
    assert len(pairs(runs, "service_error").frame) == 9
    (pair,) = [c for c in pairs(runs, "service_error").pooled() if DENSE not in (c.a, c.b)]
    assert pair.density == "10 %"


def test_what_the_reference_code_makes_of_a_density_is_the_density_that_counts() -> None:
    missed = (("app", 0.02), ("one_shot", 0.1))
    runs = study(3, methods=missed)
    runs.trials["asked_density"] = 0.1
    runs.trials["pruning.reference_compat"] = runs.trials["method"] == "app"
    assert pairs(runs, "service_error").frame.empty


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


def test_how_scores_become_a_channels_is_told_of_channels_alone_where_they_differ_in_it() -> None:
    runs = study(2)
    app = runs.trials["method"] == "app"
    trials = runs.trials.assign(
        **{
            "pruning.granularity": app.map({True: "channel", False: "weight"}),
            "pruning.group_score": app.map({True: "mean", False: "none"}),
        }
    )
    assert set(method_names(trials)) == {"dense", "one_shot, weight", "app, channel"}
    trials.loc[trials[app].index[0], "pruning.group_score"] = "sum"
    assert set(method_names(trials)) == {
        "dense",
        "one_shot, weight",
        "app, channel, group_score = mean",
        "app, channel, group_score = sum",
    }


def test_few_seeds_are_said_to_be_too_few() -> None:
    said = MethodsReport().build(study(3)).sentences
    assert said[0].startswith("Undecided: app against one_shot at 10 % of the weights: ")
    assert "; 3 pairs cannot decide 3 comparisons: 7 would." in said[0]


def test_enough_seeds_tell_a_real_difference_and_which_way_it_goes() -> None:
    section = MethodsReport().build(study(8))
    assert section.sentences[0].startswith(
        "app is better than one_shot at 10 % of the weights: service error −5.6 points ["
    )
    assert "lower in 100 % of 8 pairs" in section.sentences[0]
    assert section.tables[0].rows[0][-1] == "better"
    accuracy = MethodsReport(metrics="holdout_accuracy")
    runs = study(8)
    runs.trials["holdout_accuracy"] = 1 - runs.trials["final_error"]
    turned = accuracy.build(runs)
    assert turned.sentences[0].startswith("app is better than one_shot at 10 % of the weights: ")
    assert "holdout accuracy +" in turned.sentences[0]
    assert turned.tables[0].rows[0][-1] == "better"


def test_a_comparison_within_one_t_names_it() -> None:
    single = pairs(study(3, lengths=(2, 4)), "service_error").in_each_setting()
    assert {c.num_megabatches for c in single} == {2, 4}


def _with_margin(runs: Runs, margin: float) -> Runs:
    params = {**runs.study.params, names.PARAM_MARGIN: str(margin)}
    return replace(runs, study=replace(runs.study, params=params))


def test_a_difference_within_the_margin_is_as_good_and_the_margin_is_said() -> None:
    runs = study(8, methods=(("dense", 1.0), ("app", 0.2)))
    noise = 0.002 * (runs.trials["seed"].astype(int) % 3)
    app = runs.trials["method"] == "app"
    moved = runs.trials["service_error"].where(~app, runs.trials["service_error"] + noise)
    runs = replace(runs, trials=runs.trials.assign(service_error=moved))
    (said, *_) = MethodsReport().build(_with_margin(runs, 0.05)).sentences
    assert said.startswith(
        "app is as good as dense at 20 % of the weights, at a margin of 5 points: service error +"
    )
    (strict, *_) = MethodsReport().build(_with_margin(runs, 0.001)).sentences
    assert strict.startswith("app is worse than dense at 20 % of the weights, by more than 0.1 ")


def test_configurations_that_differ_in_sign_are_told_one_by_one() -> None:
    trials = [
        FakeTrial(0, method, t, 0.1, seed, harm=0.05 + 0.004 * seed if bad else 0.0)
        for t in (2, 4)
        for seed in range(5)
        for method, bad in (("app", t == 2), ("one_shot", t == 4))
    ]
    runs = runs_of([replace(t, number=n) for n, t in enumerate(trials)], objectives=())
    section = MethodsReport().build(runs)
    assert "depends on the configuration (p" in section.sentences[0]
    assert "so they are not pooled: T = " in section.sentences[0]
    assert "T = 2 " in section.sentences[0]
    assert "T = 4 " in section.sentences[0]
    assert section.tables[0].rows[0][-1] == "differs in sign"


def _with_examples(runs: Runs, num_examples: int = 200) -> Runs:
    """Outcomes by example: all trials err on the same share, each method on its own examples."""
    tables = {}
    for row in runs.trials.itertuples():
        number = {"dense": 0, "app": 1, "one_shot": 2}[str(row.method)]
        own = np.random.default_rng(number).random(num_examples)
        wrong = np.tile(own + np.random.default_rng(int(row.seed)).normal(0, 0.01) < 0.2, (4, 1))
        tables[row.run_id] = pd.DataFrame(
            {
                "megabatch_index": range(4),
                "split": "holdout",
                "num_examples": num_examples,
                "wrong": [np.packbits(w).tobytes() for w in wrong],
            }
        )
    return replace(runs, load_examples=tables.get)


def test_what_shared_examples_add_widens_the_interval() -> None:
    alone, _, _ = pairs(study(8), "service_error").pooled()
    shared, _, _ = pairs(_with_examples(study(8)), "service_error").pooled()
    assert (alone.examples, shared.examples) == ("unknown", "shared")
    # Two methods that err on a fifth each, apart: the variance of one example's difference.
    assert shared.result.example_variance == pytest.approx(2 * 0.2 * 0.8 / 200, rel=0.5)
    assert shared.result.estimate == alone.result.estimate
    assert shared.result.p > alone.result.p
    said = " ".join(MethodsReport().build(study(8)).sentences)
    assert "Outcomes by example are not recorded" in said
    with_them = " ".join(MethodsReport().build(_with_examples(study(8))).sentences)
    assert "Outcomes by example" not in with_them


def test_examples_that_each_seed_has_of_its_own_add_nothing_more() -> None:
    runs = _with_examples(study(8))
    own = replace(runs, trials=runs.trials.assign(**{"data.seed": runs.trials["seed"]}))
    (first, *_) = pairs(own, "service_error").pooled()
    assert (first.examples, first.result.example_variance) == ("own", 0.0)
