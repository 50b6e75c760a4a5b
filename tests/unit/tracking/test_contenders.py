"""Of a large study those trials are drawn that may win, of a small one all."""

import pytest

from study.results import Outcome
from study.tracking.contenders import NUM_ALWAYS_DRAWN, Contenders


def ended(error: float, density: float = 0.5) -> dict[str, float]:
    """A trial that came to its end with these values."""
    return {"service_error": error, "final_density": density}


def large(*metrics: str) -> Contenders:
    """Those of a study in which the first hundred trials have failed."""
    contenders = Contenders(metrics)
    for _ in range(NUM_ALWAYS_DRAWN):
        assert contenders.is_drawn({}, Outcome.ERROR)
    return contenders


def test_each_new_best_is_drawn_and_what_is_worse_is_not() -> None:
    contenders = large("service_error")
    drawn = [
        contenders.is_drawn(ended(error), Outcome.COMPLETE) for error in (0.5, 0.6, 0.4, 0.45, 0.3)
    ]
    assert drawn == [True, False, True, False, True]


def test_of_two_objectives_the_front_is_drawn() -> None:
    contenders = large("service_error", "final_density")
    trials = [(0.2, 0.5), (0.4, 0.1), (0.3, 0.6), (0.1, 0.05), (0.2, 0.04), (0.2, 0.05)]
    drawn = [contenders.is_drawn(ended(*values), Outcome.COMPLETE) for values in trials]
    assert drawn == [True, True, False, True, True, False]


def test_a_trial_whose_end_is_told_again_is_drawn_again() -> None:
    contenders = large("service_error")
    assert contenders.is_drawn(ended(0.5), Outcome.COMPLETE)
    assert contenders.is_drawn(ended(0.5), Outcome.COMPLETE)


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.EARLY_STOPPED, Outcome.INTERRUPTED])
def test_what_is_not_complete_cannot_win(outcome: Outcome) -> None:
    contenders = large("service_error")
    assert not contenders.is_drawn(ended(0.1), outcome)
    assert contenders.is_drawn(ended(0.5), Outcome.COMPLETE)


def test_what_has_no_value_cannot_win() -> None:
    contenders = large("service_error", "latency_ms")
    assert not contenders.is_drawn(ended(0.1), Outcome.COMPLETE)
    assert not large("service_error").is_drawn(ended(float("nan")), Outcome.COMPLETE)
