"""A study is logged to its own runs, whatever other study has its name."""

import pytest

from study.results import Outcome
from study.tracking import names
from study.tracking.run_tracker import RunTracker
from study.tracking.tracker import TrackingError
from tests.helpers.memory_store import MemoryStore
from tests.helpers.tracking_records import history, study_info, trial_info

ANNA, BOB = study_info(study_id="anna"), study_info(study_id="bob")


def test_a_study_whose_name_another_one_has_is_refused_and_changes_nothing() -> None:
    store = MemoryStore()
    RunTracker(store, {}).start_study(ANNA)
    runs = repr(store.runs)
    with pytest.raises(TrackingError, match=r"memory has another study called 'digits'.*--track"):
        RunTracker(store, {}).start_study(BOB)
    with pytest.raises(TrackingError, match="another study"):
        RunTracker(store, {}).start_study(study_info())
    assert repr(store.runs) == runs


@pytest.mark.parametrize("study_id", ["anna", ""])
def test_a_study_goes_on_in_its_own_runs_when_it_has_other_settings(study_id: str) -> None:
    store = MemoryStore()
    RunTracker(store, {}).start_study(study_info(study_id=study_id))
    RunTracker(store, {}).start_study(study_info(study_id=study_id, fingerprint="extended"))
    assert [run["tags"][names.TAG_FINGERPRINT] for run in store.runs.values()] == ["extended"]


def test_two_that_began_at_the_same_moment_touch_no_run_of_each_other() -> None:
    store = MemoryStore()
    anna, bob = RunTracker(store, {}), RunTracker(store, {})
    anna.start_study(ANNA)
    hers, store.runs = store.runs, {}  # not seen yet
    bob.start_study(BOB)
    store.runs = {"hers": hers["0"], **store.runs}
    anna._study_run_id = "hers"
    anna.start_trial(trial_info("k0"))
    bob.finish_study({}, Outcome.COMPLETE)
    assert store.runs["2"]["status"] == "RUNNING"
    bob.start_trial(trial_info("k0"))
    bob.finish_trial("k0", history(), Outcome.COMPLETE, "")
    assert store.runs["2"]["status"] == "RUNNING"
    assert RunTracker(store, {}).start_study(ANNA) == set()
