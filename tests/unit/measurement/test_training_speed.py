"""Networks are timed in the time that there is, by a clock that their images move."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import _get_current_function_mode_stack

from study.measurement import training_speed
from study.measurement.training_speed import Arithmetic, Speed, TimedNetwork, measure_speeds
from study.models.matrix_convolution import MatrixConvolutions

PLAIN = Arithmetic(torch.device("cpu"), "fp32", "portable")
SHAPE = (1, 4, 4)


class Clock:
    """Moves by what is computed, and by a microsecond whenever it is looked at."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        self.now += 1e-6
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(training_speed, "time", made)
    return made


class Network(nn.Module):
    """Takes so many seconds an image, forward."""

    def __init__(self, clock: Clock, cost: float) -> None:
        super().__init__()
        self.linear = nn.Linear(16, 3)
        self.clock, self.cost = clock, cost
        self.modes: list[object] = []

    def forward(self, images: Tensor) -> Tensor:
        self.clock.now += self.cost * len(images)
        self.modes += _get_current_function_mode_stack()
        out: Tensor = self.linear(images.flatten(1))
        return out


def timed(
    build: Callable[[], nn.Module], flops: int, arithmetic: Arithmetic = PLAIN
) -> TimedNetwork:
    return TimedNetwork("it", build, SHAPE, 64, flops, arithmetic)


def test_a_fast_network_is_timed_in_whole_minibatches(clock: Clock) -> None:
    network = timed(lambda: Network(clock, 1e-4), 1000)
    speed = measure_speeds({"fast": network}, seconds=10.0)["fast"]
    assert speed.is_timed
    assert speed.training == pytest.approx(1e4, rel=0.01)
    assert speed.evaluation == pytest.approx(1e4, rel=0.01)


@pytest.mark.parametrize("cost", [0.02, 0.1])
def test_of_a_slow_one_as_many_images_are_as_there_is_time_for(clock: Clock, cost: float) -> None:
    network = timed(lambda: Network(clock, cost), 1000)
    speed = measure_speeds({"slow": network}, seconds=10.0)["slow"]
    assert not speed.is_timed
    assert speed.training == pytest.approx(1 / cost, rel=0.01)
    assert speed.evaluation == pytest.approx(1 / cost, rel=0.01)
    assert clock.now < 10.0


def test_where_two_images_are_too_slow_to_train_on_the_forward_pass_tells(clock: Clock) -> None:
    network = timed(lambda: Network(clock, 0.7), 1000)
    speed = measure_speeds({"slower": network}, seconds=10.0)["slower"]
    assert not speed.is_timed
    assert speed.evaluation == pytest.approx(1 / 0.7, rel=0.01)
    assert speed.training == pytest.approx(speed.evaluation / 3)


def test_one_that_would_take_minutes_is_not_even_built(clock: Clock) -> None:
    def never() -> nn.Module:
        raise AssertionError("it was built")

    networks = {
        "known": timed(lambda: Network(clock, 1e-3), 10**9),
        "large": timed(never, 10**13),
        "twice": timed(never, 2 * 10**13),
    }
    speeds = measure_speeds(networks, seconds=10.0)
    assert speeds["large"] == speeds["known"].scaled(10**4)
    assert speeds["twice"] == speeds["large"].scaled(2)
    assert not speeds["large"].is_timed
    assert clock.now < 10.0


def test_many_networks_share_the_time(clock: Clock) -> None:
    networks = {n: timed(lambda: Network(clock, 0.01), 1000) for n in range(40)}
    speeds = measure_speeds(networks, seconds=10.0)
    assert all(speed.training == pytest.approx(100, rel=0.01) for speed in speeds.values())
    assert clock.now < 12.0


def test_a_step_runs_by_the_kernels_of_training(clock: Clock) -> None:
    made: list[Network] = []

    def build() -> nn.Module:
        made.append(Network(clock, 1e-4))
        made[-1].deep = nn.Conv2d(128, 128, 1)  # which may be products; others are left alone
        return made[-1]

    products = Arithmetic(torch.device("cpu"), "bf16", "matrix_products")
    measure_speeds({1: timed(build, 1000), 2: timed(build, 2000, products)}, seconds=10.0)
    by_plain, by_products = made
    assert not by_plain.modes
    assert by_products.modes
    assert all(isinstance(mode, MatrixConvolutions) for mode in by_products.modes)


def test_what_is_timed_leaves_random_numbers_as_they_were(clock: Clock) -> None:
    before = torch.random.get_rng_state()
    measure_speeds({1: timed(lambda: Network(clock, 1e-4), 1000)}, seconds=1.0)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_scaled_speed_is_marked() -> None:
    assert Speed(100.0, 300.0).scaled(4) == Speed(25.0, 75.0, is_timed=False)
