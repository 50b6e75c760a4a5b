"""What another number of megabatches buys, all else equal."""

import pytest

from analysis.comparison.stream_lengths import families, largest_turns, steps
from analysis.reports.megabatches.report import MegabatchesReport
from study.results import Outcome
from tests.helpers.fake_study import FakeTrial, runs_of, usual


def trials(lengths: tuple[int, ...], seeds: int) -> list[FakeTrial]:
    places = [(t, method, seed) for t in lengths for method in ("dense", "app")
              for seed in range(seeds)]  # fmt: skip
    return [
        FakeTrial(i, method, t, 1.0 if method == "dense" else 0.1, seed)
        for i, (t, method, seed) in enumerate(places)
    ]


def test_a_step_is_the_difference_between_trials_that_differ_in_t_alone() -> None:
    runs = runs_of([*trials((2, 4), 3), FakeTrial(99, "cubic", 8, 0.1)])
    found = families(runs)
    assert [(at.arm, at.t, len(at.trials)) for at in found] == [
        ("dense", 2, 3), ("dense", 4, 3), ("app", 2, 3), ("app", 4, 3),
    ]  # fmt: skip
    (step,) = steps(runs, found, "final_error", "samples_seen")
    by_hand = [FakeTrial(0, t=4).errors[-1] - FakeTrial(0, t=2).errors[-1]]
    assert (step.start, step.end) == (2, 4)
    assert (step.result.num_pairs, len(step.result.strata)) == (6, 2)
    assert step.result.estimate == pytest.approx(by_hand[0], abs=0.003)
    assert step.cost == 1.0
    assert step.finding.p == pytest.approx(2 / 2**6)


def test_more_training_is_reported_beside_what_it_buys() -> None:
    runs = runs_of(trials((2, 4), 3))
    longer = runs.trials["stream.num_megabatches"] == 4
    runs.trials.loc[longer, "samples_seen"] *= 1.5
    said = MegabatchesReport().build(runs).sentences
    assert said[0] == (
        "The lowest service error is at T = 4 in 2 of 2 configurations that ran at several T, all "
        "else equal."
    )
    assert said[1].startswith("From T = 2 to T = 4 the service error falls: −")
    assert said[1].endswith("at 1.50 times the examples.")


def test_a_search_in_which_all_else_differs_gets_the_best_of_each_t_and_is_answered_so() -> None:
    different = [FakeTrial(i, "app", t, 0.1 + 0.1 * i) for i, t in enumerate((2, 4, 8))]
    section = MegabatchesReport().build(runs_of(different))
    assert "the effect of T alone is unknown; the best of all is at T = 8" in section.sentences[0]
    assert [row[0] for row in section.tables[0].rows] == [2, 4, 8]
    one = MegabatchesReport().build(runs_of([FakeTrial(0)]))
    assert one.sentences[0].startswith("All finished trials have T = 4")


def test_the_gap_of_every_configuration_with_seeds_enough_is_tested_for_turns() -> None:
    runs = runs_of(trials((8,), 3))  # the gap rises to megabatch 6 and falls to 8
    assert len(largest_turns(runs, "generalization_gap")) == 2
    said = " ".join(MegabatchesReport().build(runs).sentences)
    assert "turns along the stream in 2 of 2 configurations" in said
    assert "it rises by 5.0 points" in said
    few = " ".join(MegabatchesReport().build(runs_of(trials((8,), 2))).sentences)
    assert "that takes three seeds and three megabatches" in few


def test_trials_that_stopped_count_for_nothing_and_are_reported() -> None:
    stopped = [FakeTrial(i, t=t, outcome=Outcome.EARLY_STOPPED, megabatches=1)
               for i, t in enumerate((2, 4))]  # fmt: skip
    section = MegabatchesReport().build(runs_of(stopped))
    assert "2 trials did not finish and are not compared: 2 early stopped" in " ".join(
        section.sentences
    )
    assert len(families(runs_of(usual((2, 4))))) == 10
