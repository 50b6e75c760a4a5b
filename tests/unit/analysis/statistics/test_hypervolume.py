import math

import numpy as np
import pytest

from analysis.statistics.hypervolume import density_cost, running_hypervolume


def test_the_area_is_that_of_the_worked_example() -> None:
    # By hand: 0.5·0.5; then the strip 0.25 wide and 0.25 high beside it; then nothing.
    volumes = running_hypervolume([(0.5, 0.5), (0.25, 0.75), (0.6, 0.6), (1.0, 0.0)])
    assert volumes == pytest.approx([0.25, 0.3125, 0.3125, 0.3125])
    assert running_hypervolume([]) == []


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
def test_the_volume_is_the_share_of_random_points_that_are_dominated(dimensions: int) -> None:
    rng = np.random.default_rng(dimensions)
    costs = rng.uniform(size=(30, dimensions))
    volumes = running_hypervolume(costs.tolist())
    probes = rng.uniform(size=(40_000, dimensions))
    for num in (1, 5, 30):
        hit = (costs[:num, None, :] <= probes[None, :, :]).all(axis=2).any(axis=0)
        assert volumes[num - 1] == pytest.approx(hit.mean(), abs=0.01)
    assert volumes == sorted(volumes)


def test_halving_the_weights_counts_the_same_wherever_it_happens() -> None:
    assert [density_cost(d) for d in (1.0, 0.1, 0.01, 0.001, 0.0)] == pytest.approx(
        [1, 2 / 3, 1 / 3, 0, 0]
    )
    # A network of 1 % beside one of 2 %, with the same error: on a linear axis a hundredth.
    small, smaller = running_hypervolume([(0.1, density_cost(0.02)), (0.1, density_cost(0.01))])
    assert smaller - small == pytest.approx(0.9 * math.log(2) / math.log(1000))
