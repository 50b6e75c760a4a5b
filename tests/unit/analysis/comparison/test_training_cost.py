"""What training took against dense, from trials with known FLOPs and seconds."""

from dataclasses import replace

import pytest

from analysis.comparison.matches import matches
from analysis.comparison.measure import measure_of
from analysis.comparison.training_cost import TrainingCost, training_costs
from analysis.runs.frames import KEY, STEP
from analysis.runs.study_runs import Runs
from tests.helpers.fake_study import FakeTrial, runs_of


def costs(runs: Runs) -> list[TrainingCost]:
    return training_costs(runs, matches(runs, measure_of(runs)))


def three_seeds() -> Runs:
    """Dense and a shrinking network, of seeds that took 0.5, 0.6 and 0.7 times dense's seconds."""
    dense = [FakeTrial(seed, "dense", 4, 1.0, seed, seconds=2.0 + seed) for seed in range(3)]
    small = [
        FakeTrial(3 + s, "app", 4, 0.25, s, flops=4e8, seconds=(0.5 + 0.1 * s) * (2.0 + s))
        for s in range(3)
    ]
    return runs_of([*dense, *small])


def test_shares_are_taken_within_seeds_and_averaged() -> None:
    (cost,) = costs(three_seeds())
    assert (cost.num_seeds, cost.density) == (3, 0.25)
    assert cost.flops.ratio == pytest.approx(0.4)
    assert cost.flops.interval is None  # all alike
    assert cost.seconds is not None
    assert cost.seconds.ratios == pytest.approx([0.5, 0.6, 0.7])
    assert cost.seconds.ratio == pytest.approx(0.6)
    # Four megabatches of 2, 3 and 4 seconds.
    assert cost.seconds.dense == pytest.approx((8.0, 12.0, 16.0))
    assert cost.seconds.interval is not None
    assert 0.0 <= cost.seconds.interval.low < 0.6 < cost.seconds.interval.high


def test_an_interval_of_shares_never_goes_below_nothing() -> None:
    dense = [FakeTrial(s, "dense", 4, 1.0, s) for s in range(2)]
    small = [FakeTrial(2 + s, "app", 4, 0.25, s, flops=4e8, seconds=0.1 + s) for s in range(2)]
    (cost,) = costs(runs_of([*dense, *small]))
    assert cost.seconds is not None
    assert cost.seconds.interval is not None
    assert cost.seconds.interval.low == 0.0


def test_the_cheapest_comes_first_and_a_dense_one_of_another_seed_will_do() -> None:
    trials = [
        FakeTrial(0, "dense", 4, 1.0),
        FakeTrial(1, "app", 4, 0.5, flops=8e8),
        FakeTrial(2, "app", 4, 0.1, seed=7, flops=3e8),
    ]
    assert [cost.trial["number"] for cost in costs(runs_of(trials))] == [2, 1]


@pytest.mark.parametrize("flops", [1e9, 0.995e9])
def test_what_took_as_many_flops_as_dense_is_not_told(flops: float) -> None:
    assert costs(runs_of([FakeTrial(0, "dense", 4, 1.0), FakeTrial(1, flops=flops)])) == []


def test_more_flops_than_dense_are_told_as_well() -> None:
    (cost,) = costs(runs_of([FakeTrial(0, "dense", 4, 1.0), FakeTrial(1, flops=1.2e9)]))
    assert cost.flops.ratio == pytest.approx(1.2)


def test_equal_flops_with_more_examples_are_no_cost_to_tell() -> None:
    runs = runs_of([FakeTrial(0, "dense", 4, 1.0), FakeTrial(1)])
    more = runs.trials.assign(samples_seen=[10_000.0, 15_000.0])
    assert costs(replace(runs, trials=more)) == []


def test_flops_that_were_not_recorded_are_not_told() -> None:
    runs = runs_of([FakeTrial(0, "dense", 4, 1.0), FakeTrial(1)])
    unknown = runs.trials.assign(train_flops=[1e9, float("nan")])
    assert costs(replace(runs, trials=unknown)) == []


def test_wall_time_is_unknown_where_a_megabatch_is_missing() -> None:
    runs = three_seeds()
    rows = runs.megabatches
    lacking = rows[~((rows[KEY] == "key004") & (rows[STEP] == 2))]
    (cost,) = costs(replace(runs, megabatches=lacking))
    assert cost.seconds is None
    assert cost.num_seeds == 3
