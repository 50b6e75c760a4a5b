import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.metrics import (
    MEASURED,
    METRICS,
    anytime_error,
    chance_error,
    mean_error,
    on_selection_split,
    projected_service_error,
    service_error,
)

ERROR_RATES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_a_guess_among_ten_classes_is_wrong_nine_times_out_of_ten() -> None:
    assert chance_error(10) == pytest.approx(0.9)
    assert chance_error(2) == 0.5


def test_errors_of_three_megabatches_match_the_sums_done_by_hand() -> None:
    errors = [0.5, 0.3, 0.2]
    assert mean_error(errors) == pytest.approx(1.0 / 3)
    # The guess serves the first third, then each model until the next one is there.
    assert anytime_error(errors, chance=0.9) == pytest.approx((0.9 + 0.5 + 0.3) / 3)
    assert service_error(errors, chance=0.9) == pytest.approx(((1.7 / 3) + 0.2) / 2)
    served_long = service_error(errors, chance=0.9, service_after=3.0)
    assert served_long == pytest.approx(((1.7 / 3) + 3 * 0.2) / 4)


def test_the_projection_by_hand_lets_the_newest_model_serve_the_rest() -> None:
    # k = 2 of T = 4: guess for a quarter, 0.5 for a quarter, 0.3 for half, and for h = 1 more.
    expected = ((0.9 + 0.5) / 4 + 0.5 * 0.3 + 0.3) / 2
    projected = projected_service_error([0.5, 0.3], num_megabatches=4, chance=0.9)
    assert projected == pytest.approx(expected)


def test_a_stream_of_one_megabatch_waits_with_a_guess() -> None:
    assert anytime_error([0.1], chance=0.75) == 0.75
    assert service_error([0.1], chance=0.75, service_after=0.0) == 0.75


@given(ERROR_RATES, st.floats(0, 10))
def test_at_the_end_of_the_stream_projection_and_service_are_one(
    errors: list[float], after: float
) -> None:
    projected = projected_service_error(
        errors, num_megabatches=len(errors), chance=0.9, service_after=after
    )
    assert projected == service_error(errors, chance=0.9, service_after=after)


@given(ERROR_RATES, st.integers(0, 8), st.floats(0, 10))
def test_every_service_figure_lies_between_the_best_and_the_worst_in_service(
    errors: list[float], missing: int, after: float
) -> None:
    projected = projected_service_error(
        errors, num_megabatches=len(errors) + missing, chance=0.9, service_after=after
    )
    assert min(0.9, *errors) - 1e-12 <= projected <= max(0.9, *errors) + 1e-12


def test_metric_names_bounds_and_directions_agree_with_their_meaning() -> None:
    assert all(metric.name == name for name, metric in METRICS.items())
    assert all(metric.low < metric.high for metric in METRICS.values())
    for metric in METRICS.values():
        if "error" in metric.name:
            assert metric.direction == "minimize"
        if metric.name.endswith("accuracy"):
            assert metric.direction == "maximize"
    assert set(METRICS) >= MEASURED
    assert METRICS["test_service_error"].is_test
    assert not METRICS["service_error"].is_test
    assert METRICS["cumulative_errors"].high == math.inf
    assert METRICS["density"].better(0.1, 0.2)
    assert METRICS["sparsity"].better(0.2, 0.1)
    assert not METRICS["density"].better(0.1, 0.1)


def test_in_place_of_a_metric_on_test_one_of_the_same_quantity_may_be_selected_on() -> None:
    for metric in METRICS.values():
        if metric.is_test:
            instead = on_selection_split(metric)
            assert instead.split in ("holdout", "validation")
            assert (instead.quantity, instead.scope) == (metric.quantity, metric.scope)
    assert on_selection_split(METRICS["test_error_rate"]).name == "holdout_error_rate"
