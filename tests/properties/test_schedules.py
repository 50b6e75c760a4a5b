"""Every schedule against its formula, recomputed here from the method's own symbols."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.pruning.open_ended import OpenEnded
from study.pruning.prune import num_kept
from study.pruning.schedule_shapes import (
    AnytimeProgressive,
    Cosine,
    Cubic,
    Dense,
    Exponential,
    Geometric,
    Linear,
    OneShot,
    Step,
)
from study.pruning.schedules import PruningEvent, PruningSchedule, tau_of

LENGTHS = st.integers(1, 120)
TARGETS = st.floats(0.001, 1.0)


def densities(
    schedule: PruningSchedule, num_megabatches: int, target: float | None = None
) -> list[float]:
    """d_1 … d_T, each event told the density that came before."""
    found = [1.0]
    for k in range(1, num_megabatches + 1):
        found.append(
            schedule.density(PruningEvent(k, num_megabatches, target, previous_density=found[-1]))
        )
    return found[1:]


def app(length: int, target: float) -> list[float]:
    tau = math.log(target) / math.log(0.8)
    first = [tau] if length == 1 else [min(1.0, tau)]
    return [0.8**x for x in np.linspace(first[0], tau, length)]


FORMULAE: list[tuple[PruningSchedule, Callable[[int, float], list[float]]]] = [
    (OneShot(), lambda length, d: [d] * length),
    (AnytimeProgressive(), app),
    (Linear(), lambda length, d: list(np.linspace(1, d, length + 1)[1:])),
    (
        Cubic(),
        lambda length, d: [
            1 - (1 - d) * (1 - (1 - k / length) ** 3) for k in range(1, length + 1)
        ],
    ),
    (
        Cosine(),
        lambda length, d: [
            d + (1 - d) * (1 + math.cos(math.pi * k / length)) / 2 for k in range(1, length + 1)
        ],
    ),
    (
        Exponential(sharpness=5.0),
        lambda length, d: [
            1 - (1 - d) * (1 - math.exp(-5 * k / length)) / (1 - math.exp(-5))
            for k in range(1, length + 1)
        ],
    ),
]
IDS = [type(schedule).__name__ for schedule, _ in FORMULAE]


@pytest.mark.parametrize(("schedule", "formula"), FORMULAE, ids=IDS)
@settings(deadline=None)
@given(length=LENGTHS, target=TARGETS)
def test_a_schedule_with_a_target_follows_its_formula_and_ends_exactly_on_target(
    schedule: PruningSchedule,
    formula: Callable[[int, float], list[float]],
    length: int,
    target: float,
) -> None:
    found = densities(schedule, length, target)
    assert found == pytest.approx(formula(length, target), rel=1e-12, abs=1e-14)
    assert found[-1] == target == schedule.final_density(length, target)
    assert found == sorted(found, reverse=True)
    assert all(target <= density <= 1 for density in found)


@settings(deadline=None)
@given(length=LENGTHS, rate=st.floats(0.001, 0.9))
def test_geometric_removes_the_same_fraction_of_the_survivors_whatever_t_is(
    length: int, rate: float
) -> None:
    found = densities(Geometric(rate=rate), length)
    assert found[0] == 1 - rate
    for before, after in pairwise(found):
        assert after / before == pytest.approx(1 - rate, rel=1e-9)
    assert Geometric(rate=rate).final_density(length, None) == found[-1]
    assert found == densities(Geometric(rate=rate), length + 5)[:length]


def test_the_papers_setting_ends_on_a_third_to_the_weight() -> None:
    found = densities(AnytimeProgressive(), 8, 0.8**4.5)
    assert found[0] == pytest.approx(0.8)
    assert [num_kept(density, 1000) for density in found] == [
        800,
        716,
        640,
        572,
        512,
        458,
        410,
        366,
    ]


@settings(deadline=None)
@given(length=LENGTHS, target=st.floats(0.8, 1.0))
def test_app_with_tau_of_at_most_one_is_one_shot(length: int, target: float) -> None:
    assert tau_of(target) <= 1.0 + 1e-12
    assert densities(AnytimeProgressive(), length, target) == pytest.approx(
        densities(OneShot(), length, target), rel=1e-12
    )


def test_exponential_runs_from_linear_to_one_shot_with_its_sharpness() -> None:
    assert densities(Exponential(sharpness=1e-9), 7, 0.2) == pytest.approx(
        densities(Linear(), 7, 0.2)
    )
    assert densities(Exponential(sharpness=1e9), 7, 0.2) == densities(OneShot(), 7, 0.2)


def test_dense_never_prunes() -> None:
    assert densities(Dense(), 5) == [1.0] * 5
    assert Dense().final_density(5, None) == 1.0


@settings(deadline=None)
@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=20))
def test_step_is_the_list_that_was_given(listed: list[float]) -> None:
    falling = tuple(sorted(listed, reverse=True))
    assert densities(Step(densities=falling), len(falling)) == list(falling)
    assert Step(densities=falling).final_density(len(falling), None) == falling[-1]


@pytest.mark.parametrize("length", [1, 3])
def test_step_wants_one_density_a_megabatch(length: int) -> None:
    with pytest.raises(ValueError, match=rf"there are 2, but stream\.num_megabatches is {length}"):
        Step(densities=(0.5, 0.4)).density(PruningEvent(1, length, None))
    with pytest.raises(ValueError, match=r"^densities must be one a megabatch"):
        Step(densities=(0.5, 0.4)).final_density(length, None)


@settings(deadline=None)
@given(
    arrived=st.lists(st.integers(1, 50_000), min_size=1, max_size=30),
    half_life=st.integers(1, 10**6),
    floor=st.floats(0.001, 1.0),
)
def test_open_ended_follows_the_examples_arrived_and_not_how_they_are_cut(
    arrived: list[int], half_life: int, floor: float
) -> None:
    schedule = OpenEnded(floor=floor, half_life=half_life)
    totals = np.cumsum(arrived).tolist()
    found = [
        schedule.density(PruningEvent(k + 1, len(totals), None, samples_arrived=total))
        for k, total in enumerate(totals)
    ]
    assert found == sorted(found, reverse=True)
    assert all(floor <= density <= 1 for density in found)
    whole = schedule.density(PruningEvent(1, 1, None, samples_arrived=totals[-1]))
    assert whole == found[-1], "neither k nor T matters"
    at_half_life = schedule.density(PruningEvent(1, 1, None, samples_arrived=half_life))
    assert at_half_life - floor == pytest.approx((1 - floor) / 2)
    assert schedule.final_density(len(totals), None) is None


@settings(deadline=None)
@given(
    errors=st.lists(st.floats(0, 1), max_size=40),
    patience=st.integers(1, 5),
    factor=st.floats(0.1, 0.99),
)
def test_open_ended_on_plateaus_never_rises_and_falls_at_most_once_in_its_patience(
    errors: list[float], patience: int, factor: float
) -> None:
    schedule = OpenEnded(
        floor=0.01, driver="plateau", plateau_patience=patience, plateau_factor=factor
    )
    found = [
        schedule.density(PruningEvent(k + 1, 99, None, validation_errors=tuple(errors[:k])))
        for k in range(len(errors) + 1)
    ]
    assert found[0] == 1.0
    assert found == sorted(found, reverse=True)
    assert min(found) >= max(0.01, factor ** (len(errors) // patience)) - 1e-12


def test_open_ended_prunes_where_validation_stalls_and_measures_the_rest_against_itself() -> None:
    schedule = OpenEnded(floor=0.3, driver="plateau", plateau_patience=2, plateau_factor=0.5)
    errors = (0.5, 0.4, 0.4, 0.45, 0.44, 0.44, 0.46, 0.5, 0.5)
    found = [
        schedule.density(PruningEvent(k + 1, 99, None, validation_errors=errors[:k]))
        for k in range(len(errors) + 1)
    ]
    # After 0.4, 0.45 the first cut; 0.44 betters that 0.45, then 0.44, 0.46 make the second.
    assert found == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Geometric(rate=1.2),
            r"^rate must be between 0 and 1 \(exclusive\), got 1\.2; 20 % is 0\.2$",
        ),
        (lambda: Geometric(rate=0.0), "^rate must"),
        (lambda: Exponential(sharpness=0.0), "^sharpness must"),
        (lambda: Exponential(sharpness=math.inf), "^sharpness must"),
        (lambda: Step(densities=()), "^densities must be given"),
        (lambda: Step(densities=(0.5, 0.0)), "^densities must be given"),
        (lambda: Step(densities=(0.4, 0.5)), r"^densities must not rise, got 0\.5 after 0\.4"),
        (lambda: OpenEnded(floor=0.0), "^floor must"),
        (lambda: OpenEnded(driver="time"), "^driver must be examples or plateau"),
        (lambda: OpenEnded(half_life=0), "^half_life must"),
        (lambda: OpenEnded(plateau_patience=0), "^plateau_patience must"),
        (lambda: OpenEnded(plateau_factor=1.0), "^plateau_factor must"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_its_name(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make()
