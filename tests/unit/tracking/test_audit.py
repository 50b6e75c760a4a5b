"""What is found wrong with a study's runs, and which runs are none of its own."""

from study.results import Outcome
from study.tracking.audit import ExpectedTrial, audit_runs, repair_runs
from study.tracking.run_tracker import RunTracker
from tests.helpers.memory_store import MemoryStore
from tests.helpers.tracking_records import history, study_info, trial_info

WHOLE = history().recorded(1.5e9)


def test_runs_of_another_study_of_the_name_are_said_and_never_removed() -> None:
    store = MemoryStore()
    tracker = RunTracker(store, {})
    tracker.start_study(study_info(study_id="anna"))
    for key in ("both", "hers"):
        tracker.start_trial(trial_info(key))
        tracker.finish_trial(key, WHOLE, Outcome.COMPLETE, "")
    runs = repr(store.runs)
    expected = {"both": ExpectedTrial(history(offset=0.1), Outcome.COMPLETE)}
    found = audit_runs(store, "digits", expected, study_id="bob", outcome=Outcome.COMPLETE)
    assert found.texts == [
        ("", "another study of this name is there (0) and left alone"),
        ("", "the study has no run"),
        ("both", "has no run"),
    ]
    repair_runs(store, found)
    assert repr(store.runs) == runs
