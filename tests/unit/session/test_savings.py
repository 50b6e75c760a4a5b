"""What stopping saves is counted against what the stopped trials would have taken."""

from typing import Any

from study.results import MegabatchRecord, Outcome, TrialHistory
from study.session.end import savings
from study.store.record import RecordedTrial


def trial(outcome: Outcome, samples: float, *, total: int | None, T: int = 4) -> RecordedTrial:  # noqa: N803  # the papers' symbol
    epochs = None if total else 2
    config: dict[str, Any] = {
        "stream": {"num_megabatches": T},
        "training": {"total_samples": total, "epochs": epochs},
    }
    record = MegabatchRecord(0, 0.25, 0, {"samples_seen": samples})
    return RecordedTrial(
        str(samples), 0, "search", {}, config, TrialHistory((), (record,)), outcome
    )


def test_a_quarter_of_the_stream_at_full_replay_saves_nine_tenths_of_a_trial() -> None:
    told = savings(
        [
            trial(Outcome.COMPLETE, 1000, total=1000),
            trial(Outcome.EARLY_STOPPED, 100, total=1000),
        ]
    )
    assert (told.num_stopped, told.used, told.saved) == (1, 1100, 900)
    assert told.fraction == 0.45


def test_with_epochs_a_trial_would_have_cost_what_complete_ones_of_its_length_did() -> None:
    told = savings(
        [
            trial(Outcome.COMPLETE, 800, total=None),
            trial(Outcome.COMPLETE, 1000, total=None),
            trial(Outcome.COMPLETE, 5000, total=None, T=8),
            trial(Outcome.EARLY_STOPPED, 100, total=None),
            trial(Outcome.EARLY_STOPPED, 100, total=None, T=2),  # like no complete one
        ]
    )
    assert (told.num_stopped, told.saved) == (1, 800)


def test_a_study_without_stopped_trials_saved_nothing() -> None:
    assert savings([trial(Outcome.COMPLETE, 800, total=None)]).fraction == 0.0
    assert savings([]).num_stopped == 0
