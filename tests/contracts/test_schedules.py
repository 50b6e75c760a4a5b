"""What every registered pruning schedule keeps to."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import study.pruning.open_ended
import study.pruning.schedule_shapes  # both register on import
from study.pruning.schedules import SCHEDULES, PruningEvent, PruningSchedule
from study.registry import hyperparameters

REQUIRED = {"step": lambda length: {"densities": tuple(0.9**k for k in range(1, length + 1))}}


def build(name: str, length: int) -> PruningSchedule:
    return SCHEDULES.get(name)(**(REQUIRED[name](length) if name in REQUIRED else {}))


def run(schedule: PruningSchedule, length: int, target: float) -> list[float]:
    given_target = target if schedule.takes_target else None
    found = [1.0]
    for k in range(1, length + 1):
        errors = tuple(1 / (j % 4 + 1) for j in range(k - 1))
        found.append(
            schedule.density(PruningEvent(k, length, given_target, found[-1], 500 * k, errors))
        )
    return found


def test_the_schedules_of_the_method_are_all_there() -> None:
    assert set(SCHEDULES.names()) >= {
        "dense", "one_shot", "app", "geometric", "linear", "cubic", "cosine", "exponential",
        "step", "open_ended",
    }  # fmt: skip


@pytest.mark.parametrize("name", SCHEDULES.names())
@settings(deadline=None)
@given(length=st.integers(1, 60), target=st.floats(0.001, 1.0))
def test_density_never_rises_and_stays_above_zero(name: str, length: int, target: float) -> None:
    found = run(build(name, length), length, target)
    assert found == sorted(found, reverse=True)
    assert all(0 < density <= 1 for density in found)


@pytest.mark.parametrize("name", SCHEDULES.names())
@settings(deadline=None)
@given(length=st.integers(1, 60), target=st.floats(0.001, 1.0))
def test_it_ends_where_it_says_that_it_ends(name: str, length: int, target: float) -> None:
    schedule = build(name, length)
    said = schedule.final_density(length, target if schedule.takes_target else None)
    assert said is None or run(schedule, length, target)[-1] == said
    assert (said is not None) or not schedule.ends_on_target
    if schedule.takes_target and schedule.ends_on_target:
        assert said == target
        assert run(schedule, 1, target)[-1] == target


@pytest.mark.parametrize("name", SCHEDULES.names())
@settings(deadline=None)
@given(length=st.integers(1, 60), target=st.floats(0.001, 1.0))
def test_it_comes_to_no_density_below_the_lowest_that_it_names(
    name: str, length: int, target: float
) -> None:
    schedule = build(name, length)
    lowest = schedule.lowest_density(length, target if schedule.takes_target else None)
    assert lowest is None or min(run(schedule, length, target)) >= lowest
    assert (lowest is not None) or not schedule.ends_on_target


@pytest.mark.parametrize("name", SCHEDULES.names())
def test_the_settings_that_it_names_are_its_own(name: str) -> None:
    schedule = build(name, 7)
    named = {schedule.density_setting, schedule.needs_validation} - {None}
    assert named <= set(hyperparameters(type(schedule)))


@pytest.mark.parametrize("name", SCHEDULES.names())
def test_its_densities_follow_the_validation_error_only_where_it_needs_one(name: str) -> None:
    schedule = build(name, 7)
    target = 0.2 if schedule.takes_target else None
    found = {
        schedule.density(PruningEvent(7, 7, target, 1.0, 3500, (error,) * 6))
        for error in (0.1, 0.5)
    } | {schedule.density(PruningEvent(7, 7, target, 1.0, 3500))}
    assert len(found) == 1 or schedule.needs_validation


def test_a_schedule_that_follows_plateaus_needs_validation() -> None:
    schedule = study.pruning.open_ended.OpenEnded(driver="plateau")
    assert schedule.needs_validation == "driver"


@pytest.mark.parametrize("name", SCHEDULES.names())
@settings(deadline=None)
@given(length=st.integers(1, 20), target=st.floats(0.001, 1.0))
def test_after_the_stream_it_stays_where_it_ended_or_says_that_it_goes_on(
    name: str, length: int, target: float
) -> None:
    schedule = build(name, length)
    given_target = target if schedule.takes_target else None
    densities = [
        schedule.density_at(PruningEvent(k, length, given_target, samples_arrived=500 * k))
        for k in range(1, length + 4)
    ]
    assert densities == sorted(densities, reverse=True)
    assert all(0 < density <= 1 for density in densities)
    if schedule.goes_on:
        assert densities[-1] < densities[length - 1]
    else:
        assert densities[length:] == densities[length - 1 : length] * 3


@pytest.mark.parametrize("name", SCHEDULES.names())
def test_it_is_a_picklable_value_that_explains_itself(name: str) -> None:
    schedule = build(name, 7)
    copy = pickle.loads(pickle.dumps(schedule))
    assert copy == schedule
    assert hash(copy) == hash(schedule)
    assert run(copy, 7, 0.2) == run(schedule, 7, 0.2)
    assert type(schedule).__doc__
