"""Confirmed configurations against dense: what may be concluded, and what stays open."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.comparison.confirmed_verdicts import (
    FixedSequence,
    judged_by,
    open_trials,
    sequences,
    wrong_examples,
)
from analysis.comparison.fresh_seeds import confirmation
from analysis.page.answer import answer
from analysis.presentation.verdict_sentences import verdict_sentences
from analysis.runs.study_runs import Runs
from study.tracking import names
from tests.helpers.fake_confirmation import SEARCHED, confirming_runs
from tests.helpers.fake_study import runs_of, usual

SEEDS = tuple(range(1, 9))
T = 8


def with_examples(
    harm: dict[float, float],
    *,
    num_examples: int = 2000,
    seeds: tuple[int, ...] = SEEDS,
    margin: float = 0.01,
    looks: str = "",
) -> Runs:
    """The confirming study with outcomes by example.

    Args:
        harm: Density → how much more of the examples a network of that density gets wrong than a
            dense one, which is wrong on a tenth of them.
        num_examples: Of the holdout.
        seeds: Fresh ones.
        margin: The study's.
        looks: Numbers of seeds; empty where it is judged after all.
    """
    runs = confirming_runs(seeds)
    hard = np.random.default_rng(0).random(num_examples)
    tables = {}
    for row in runs.trials.itertuples():
        density = round(float(row.final_density), 2)
        noise = np.random.default_rng(int(row.seed)).normal(0, 0.01, (T, num_examples))
        wrong = hard + noise < 0.1 + harm.get(density, 0.0)
        tables[row.run_id] = pd.DataFrame(
            {
                "megabatch_index": range(T),
                "split": "holdout",
                "num_examples": num_examples,
                "wrong": [np.packbits(w).tobytes() for w in wrong],
            }
        )
    params = {**runs.study.params, names.PARAM_MARGIN: str(margin)}
    params |= {names.PARAM_LOOKS: looks} if looks else {}
    return replace(runs, study=replace(runs.study, params=params), load_examples=tables.get)


def sequence_of(runs: Runs) -> FixedSequence:
    (found,) = sequences(runs, confirmation(runs))
    return found


def test_the_outcomes_that_a_run_has_left_are_read_bit_by_bit() -> None:
    runs = with_examples({}, num_examples=13)
    wrong = wrong_examples(runs, str(runs.trials["run_id"].iloc[0]))
    assert wrong is not None
    assert wrong.shape == (T, 13)
    assert wrong_examples(runs, "another") is None


def test_the_smallest_as_good_is_found_from_the_largest_downwards() -> None:
    both = sequence_of(with_examples({}))
    assert [one.density for one in both.judged] == sorted(
        (density for _, density in SEARCHED.values()), reverse=True
    )
    assert both.smallest is both.judged[-1]
    one = sequence_of(with_examples({0.08: 0.05}))
    assert one.smallest is one.judged[0]
    # The second is never asked where the first fails.
    assert sequence_of(with_examples({0.3: 0.05})).smallest is None


def test_a_network_that_is_worse_is_called_so_and_the_margin_decides() -> None:
    worse = sequence_of(with_examples({0.08: 0.05})).judged[-1].judgement
    assert worse is not None
    assert worse.verdict == "worse"
    wide = sequence_of(with_examples({0.08: 0.03}, margin=0.06))
    assert wide.smallest is wide.judged[-1]


@pytest.mark.parametrize(("num_examples", "seeds"), [(72, SEEDS), (2000, (1, 2, 3))])
def test_few_examples_or_few_seeds_leave_it_undecided_with_a_remedy(
    num_examples: int, seeds: tuple[int, ...]
) -> None:
    runs = with_examples({}, num_examples=num_examples, seeds=seeds)
    assert sequence_of(runs).smallest is None
    lines = verdict_sentences([sequence_of(runs)], "fake")
    assert lines[0].startswith("Undecided: whether a pruned network is as good as dense at T = 8.")
    assert all("it is undecided: service error " in line for line in lines[1:-1])
    remedy = "holdout examples" if num_examples == 72 else "app-study confirm fake"
    assert remedy in lines[-1]
    assert len(lines) == 4


def test_without_outcomes_by_example_nothing_is_concluded() -> None:
    runs = confirming_runs(SEEDS)
    assert sequence_of(runs).smallest is None
    assert verdict_sentences([sequence_of(runs)], "fake") == []


@pytest.mark.parametrize("num_examples", [1, 2])
@pytest.mark.parametrize("looks", ["", "6,8,12"])
def test_a_holdout_too_small_to_compare_has_no_verdict_or_an_open_one(
    num_examples: int, looks: str
) -> None:
    runs = with_examples({}, num_examples=num_examples, looks=looks)
    assert sequence_of(runs).smallest is None
    first, *_ = verdict_sentences([sequence_of(runs)], "fake")
    if num_examples == 1:
        assert open_trials(runs) == frozenset()
        assert first.startswith("No verdict at T = 8: 1 holdout example cannot tell")
        assert "data.holdout_fraction" in first
        assert first in answer(runs)
    else:
        assert first.startswith("Undecided")


@pytest.mark.parametrize("looks", ["", "6,12"])
def test_errors_are_over_the_seeds_that_were_judged_and_no_others(looks: str) -> None:
    runs = with_examples({}, looks=looks)
    lost = (runs.trials["method"] == "dense") & (runs.trials["seed"] == 3)
    (tested,) = sequences(part := replace(runs, trials=runs.trials[~lost]), confirmation(part))
    seeds = [1, 2, 4, 5, 6, 7, 8][: None if not looks else 6]
    for one in tested.judged:
        assert one.judgement is not None
        assert one.judgement.num_seeds == len(seeds)
        for side, mean in zip((one.arm, one.dense), one.errors("service_error"), strict=True):
            known = side.trials[side.trials["seed"].isin(seeds)]["service_error"]
            assert len(known) == len(seeds)
            assert mean == pytest.approx(known.mean())
            # What was not judged is in no figure.
            other = side.trials["service_error"].where(side.trials["seed"].isin(seeds), 0.9)
            changed = replace(side, trials=side.trials.assign(service_error=other))
            moved = replace(one, **{"arm" if side is one.arm else "dense": changed})
            assert verdict_sentences([replace(tested, judged=(moved,))], "fake") == (
                verdict_sentences([replace(tested, judged=(one,))], "fake")
            )


def test_the_answer_opens_with_the_verdict_and_of_a_search_alone_says_may_be() -> None:
    found = with_examples({0.08: 0.05})
    searched = runs_of(usual())
    first, second, *_ = answer(replace(searched, load_confirmation=lambda: found))
    assert first.startswith(
        "Confirmed: 30 % of the weights are as good as dense (app, T = 8, trial 12): service "
    )
    assert "The margin is 1 point; over 8 fresh seeds on 2,000 holdout examples." in first
    assert second.startswith("With 8 % of the weights (app, T = 8, trial 13) it is worse than")
    assert not any("that is as good as dense" in line for line in answer(searched))


def test_a_speedup_puts_in_order_and_stands_in_the_sentence() -> None:
    runs = with_examples({})
    is_small = runs.trials["final_density"].round(2) == 0.08
    runs = replace(
        runs,
        study=replace(
            runs.study,
            params={
                **runs.study.params,
                names.PARAM_SOUGHT: "speedup",
                f"{names.PARAM_SEARCHED}12.speedup": "2.0",  # with 30 % of the weights
                f"{names.PARAM_SEARCHED}13.speedup": "1.5",  # with 8 %
            },
        ),
        trials=runs.trials.assign(
            speedup=np.where(is_small, 1.5, 2.0) + 0.01 * runs.trials["seed"].astype(int),
            file_bytes=np.where(runs.trials["method"] == "dense", 1000.0, 205.0),
        ),
    )
    found = sequence_of(runs)
    assert [one.arm.number for one in found.judged] == [13, 12]
    assert found.smallest is found.judged[-1]
    opening = verdict_sentences([found], "fake")[0]
    assert opening.startswith(
        "Confirmed: 30 % of the weights are as good as dense and run 2.0 times as fast "
        "[2.0, 2.1], in a file a fifth as large (app, T = 8, trial 12): service "
    )


def test_what_is_followed_until_it_is_decided_is_open_no_longer_than_that() -> None:
    looks = "6,8,12"
    # Neither that the one is as good nor that the other is worse can be seen from four seeds.
    assert open_trials(with_examples({0.08: 0.05}, seeds=SEEDS[:4], looks=looks)) == {12, 13}
    settled = with_examples({0.08: 0.05}, looks=looks)
    assert open_trials(settled) == frozenset()
    assert judged_by(settled, confirmation(settled)) == {12, 13}
    found = sequence_of(settled)
    assert found.smallest is found.judged[0]
    # Whatever is run behind the look that decided changes nothing.
    first = [one.judgement for one in found.judged]
    early = sequence_of(with_examples({0.08: 0.05}, seeds=SEEDS[:6], looks=looks))
    assert [one.judgement for one in early.judged] == first


def test_where_examples_forbid_a_verdict_it_ends_with_how_many_it_takes() -> None:
    runs = with_examples({}, num_examples=72, looks="6,8,12")
    assert open_trials(runs) == frozenset()
    *_, remedy = verdict_sentences([sequence_of(runs)], "fake")
    assert remedy.startswith("More seeds cannot settle that: it takes about ")


def test_a_trial_that_was_judged_is_spoken_of_once() -> None:
    found = with_examples({0.08: 0.05})
    said = answer(replace(runs_of(usual()), load_confirmation=lambda: found))
    for trial in ("trial 12)", "trial 13)"):
        assert sum(trial in sentence for sentence in said) == 1


@pytest.mark.parametrize(
    ("harm", "opening"),
    [
        (0.05, "Not confirmed: 8 % of the weights are worse than dense (app, T = 8, trial 13): "),
        (0.0099, "Undecided: whether 8 % of the weights are as good as dense (app, T = 8, trial "),
    ],
)
def test_of_a_single_candidate_one_sentence_says_all(harm: float, opening: str) -> None:
    runs = with_examples({0.08: harm})
    alone = runs.trials[~runs.trials["confirmed_trial"].isin(["12"])]
    (first, *rest) = verdict_sentences([sequence_of(replace(runs, trials=alone))], "fake")
    assert first.startswith(opening)
    assert "The margin is 1 point; over 8 fresh seeds on 2,000 holdout examples." in first
    assert len(rest) == (harm < 0.01)  # what would settle it
