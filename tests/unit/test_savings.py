"""What stopping saves is counted against what the stopped trials would have taken."""

import math

from study.results import Outcome
from study.savings import TrialCost, savings


def trial(outcome: Outcome, used: float, *, stated: float | None, length: int = 4) -> TrialCost:
    return TrialCost(outcome, used, stated, length)


def test_a_quarter_of_the_stream_at_full_replay_saves_nine_tenths_of_a_trial() -> None:
    found = savings(
        [
            trial(Outcome.COMPLETE, 1000, stated=1000),
            trial(Outcome.EARLY_STOPPED, 100, stated=1000),
        ]
    )
    assert (found.num_stopped, found.used, found.saved) == (1, 1100, 900)
    assert found.fraction == 0.45


def test_with_epochs_a_trial_would_have_cost_what_complete_ones_of_its_length_did() -> None:
    found = savings(
        [
            trial(Outcome.COMPLETE, 800, stated=None),
            trial(Outcome.COMPLETE, 1000, stated=None),
            trial(Outcome.COMPLETE, 5000, stated=None, length=8),
            trial(Outcome.EARLY_STOPPED, 100, stated=None),
            trial(Outcome.EARLY_STOPPED, 100, stated=None, length=2),  # like no complete one
            trial(Outcome.EARLY_STOPPED, math.nan, stated=None),
        ]
    )
    assert (found.num_stopped, found.saved) == (1, 800)


def test_a_study_without_stopped_trials_saved_nothing() -> None:
    assert savings([trial(Outcome.COMPLETE, 800, stated=None)]).fraction == 0.0
    assert savings([]).num_stopped == 0
