"""Whatever a store does, nothing is lost, nothing is doubled, and nobody who trains waits."""

import threading
import time
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.results import Outcome, TrialHistory
from study.tracking import names
from study.tracking.artifacts import run_files
from study.tracking.background import BackgroundTracker
from study.tracking.metric_points import metric_points
from study.tracking.run_store import FINISHED
from study.tracking.run_tracker import RunTracker
from study.tracking.tracker import TrackingError
from tests.helpers.memory_store import MemoryStore
from tests.helpers.trackers import RecordingTracker
from tests.helpers.tracking_records import before, history, study_info, trial_info

WHOLE = history(3, of=3).recorded(1.5e9)


@pytest.fixture(autouse=True, scope="module")
def _undrawn():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_files, "trial_pictures", lambda *_: {})
        yield


def wait_until(is_so):
    end = time.monotonic() + 250  # against what hangs
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.001)


def background(store, notices=None, *, patience_s=20.0):
    told = [] if notices is None else notices
    return BackgroundTracker(
        RunTracker(store, {}), notice=told.append, patience_s=patience_s, waits_s=(0.001,)
    )


def live(tracker, num_trials=4):
    """Trials side by side, each reporting step by step, as a study tells them."""
    keys = [f"k{number}" for number in range(num_trials)]
    for number, key in enumerate(keys):
        tracker.start_trial(trial_info(key, number))
    for step in (1, 2, 3):
        for key in keys:
            tracker.log_history(key, before(WHOLE, step))
        tracker.describe_study(f"{step} of 3")
    for key in keys:
        tracker.finish_trial(key, WHOLE, Outcome.COMPLETE, "")
    return dict.fromkeys(keys, WHOLE)


def expect_all(store, num_trials=4):
    trials = {r["tags"]["trial_key"]: r for r in store.runs.values() if "trial_key" in r["tags"]}
    assert len(store.runs) == num_trials + 1
    assert len(trials) == num_trials
    wanted = {(p.name, p.step): {(p.value, p.time)} for p in metric_points(WHOLE)}
    for run in trials.values():
        assert run["points"] == wanted
        assert (run["status"], run["tags"]["outcome"]) == (FINISHED, "complete")
    (parent,) = (r for r in store.runs.values() if "trial_key" not in r["tags"])
    assert parent["status"] == FINISHED
    assert parent["tags"]["mlflow.note.content"] == "3 of 3"


def expect_order(store):
    """Of each metric of each run, the steps arrive in order."""
    steps = defaultdict(list)
    for run_id, name, step in store.log:
        steps[run_id, name].append(step)
    assert all(list(dict.fromkeys(s)) == sorted(set(s)) for s in steps.values())


# Calls of start_study are before, where errors are the caller's.
faults = st.lists(st.sampled_from([None, None, None, "before", "after"]), max_size=150)


@settings(max_examples=60, deadline=None)
@given(faults)
def test_however_a_store_fails_all_arrives_once_and_in_order(scheduled):
    store = MemoryStore()
    tracker = background(store)
    tracker.start_study(study_info())
    store._faults = iter(scheduled)
    tracker.finish_study(live(tracker), Outcome.COMPLETE)
    assert tracker.undelivered is None
    expect_all(store)
    expect_order(store)


def test_a_store_that_is_away_or_hangs_keeps_nobody_waiting_and_gets_all_afterwards():
    notices = []
    store = MemoryStore()
    tracker = background(store, notices)
    tracker.start_study(study_info())
    for trouble, is_felt in (
        (store.is_away, lambda: bool(notices)),
        (store.hangs, lambda: store.is_hanging),
    ):
        trouble.set()
        started = time.monotonic()
        histories = live(tracker)  # who waited for the store would do so for ever
        assert time.monotonic() - started < 30.0
        wait_until(is_felt)
        trouble.clear()
    tracker.finish_study(histories, Outcome.COMPLETE)
    expect_all(store)
    assert "training goes on" in notices[0]
    assert "database is locked" in notices[0]
    assert "answers again" in notices[1]
    assert len(notices) == 2


def test_what_waits_is_a_trial_once_however_often_it_reports():
    store = MemoryStore()
    tracker = background(store, patience_s=0.05)
    tracker.start_study(study_info())
    store.is_away.set()
    for _ in range(50):
        live(tracker)
    assert len(tracker._pending.trials) <= 4


@pytest.mark.parametrize("trouble", ["is_away", "hangs"])
def test_at_the_end_it_is_said_what_did_not_arrive_and_a_new_tracker_sends_just_that(trouble):
    store = MemoryStore()
    tracker = background(store, patience_s=0.2)
    tracker.start_study(study_info())
    getattr(store, trouble).set()
    histories = live(tracker)
    tracker.finish_study(histories, Outcome.COMPLETE)
    undelivered = tracker.undelivered
    assert undelivered.num_trials == 4
    assert undelivered.reason
    getattr(store, trouble).clear()
    tracker._thread.join(timeout=250)
    again = background(store)
    again.start_study(study_info())
    again.finish_study(live(again), Outcome.COMPLETE)
    assert again.undelivered is None
    expect_all(store)
    expect_order(store)


def test_one_trial_that_the_store_refuses_keeps_no_other_back():
    class Choosy(RecordingTracker):
        def finish_trial(self, trial_key, *rest):
            if trial_key == "k1":
                raise TrackingError("not this one")
            super().finish_trial(trial_key, *rest)

    choosy = Choosy()
    notices = []
    tracker = BackgroundTracker(choosy, notice=notices.append, patience_s=0.3, waits_s=(0.001,))
    tracker.start_study(study_info())
    histories = live(tracker)

    def ended():
        return [args[0] for name, args in choosy.calls if name == "finish_trial"]

    wait_until(lambda: len(ended()) == 3)
    tracker.finish_study(histories, Outcome.COMPLETE)
    assert ended() == ["k0", "k2", "k3"]
    assert tracker.undelivered.num_trials == 1
    assert tracker.undelivered.reason == "not this one"
    assert len([text for text in notices if "fails" in text]) == 1


def test_a_request_carried_out_after_it_was_given_up_leaves_no_second_run():
    store = MemoryStore()
    tracker = RunTracker(store, {})
    tracker.start_study(study_info())
    tracker.start_trial(trial_info("k0"))
    late = dict(store.runs["1"], tags=dict(store.runs["1"]["tags"]))
    store.runs["2"] = late  # the same request once more
    tracker.finish_trial("k0", WHOLE, Outcome.COMPLETE, "")
    tracker.finish_study({"k0": WHOLE}, Outcome.COMPLETE)
    assert set(store.runs) == {"0", "1"}


def test_a_study_that_goes_on_asks_nothing_about_trials_that_are_finished():
    store = MemoryStore()
    first = RunTracker(store, {})
    first.start_study(study_info())
    for key in ("k0", "k1"):
        first.start_trial(trial_info(key))
        first.finish_trial(key, WHOLE, Outcome.COMPLETE, "")
    second = RunTracker(store, {})
    second.start_study(study_info())
    before_repair = store.num_calls
    for key in ("k0", "k1"):
        second.start_trial(trial_info(key))
        second.finish_trial(key, WHOLE, Outcome.COMPLETE, "")
    assert store.num_calls == before_repair


def test_a_run_starts_and_ends_when_the_record_says():
    store = MemoryStore()
    tracker = RunTracker(store, {})
    tracker.start_study(study_info())
    tracker.start_trial(trial_info("k0", started_at=1.4e9))
    tracker.finish_trial("k0", WHOLE, Outcome.COMPLETE, "")
    assert (store.runs["1"]["started_at"], store.runs["1"]["ended_at"]) == (1.4e9, 1.5e9)
    assert TrialHistory().last_recorded_at == 0.0


def test_a_study_of_many_trials_may_take_its_time_to_be_closed():
    class Slow(RecordingTracker):
        def finish_study(self, histories, outcome):
            given_up.wait(0.3 if len(histories) > 1 else 250)
            super().finish_study(histories, outcome)

    for num_trials, arrives in ((1, False), (100, True)):
        given_up = threading.Event()
        inner = Slow()
        tracker = BackgroundTracker(inner, notice=lambda _: None, patience_s=0.05)
        tracker.start_study(study_info())
        tracker.finish_study({str(n): TrialHistory() for n in range(num_trials)}, Outcome.COMPLETE)
        assert (tracker.undelivered is None) == arrives
        given_up.set()


def test_a_new_trial_is_not_looked_for_and_what_is_finished_is_known_from_the_start():
    store, searched = MemoryStore(), []
    find = store.find

    def noted(tags, status=None):
        searched.append(tags)
        return find(tags, status)

    store.find = noted
    first = RunTracker(store, {})
    assert first.start_study(study_info()) == set()
    first.start_trial(trial_info("ended"))
    first.finish_trial("ended", WHOLE, Outcome.COMPLETE, "")
    first.start_trial(trial_info("failed"))
    first.finish_trial("failed", WHOLE, Outcome.ERROR, "why")
    first.start_trial(trial_info("running"))
    assert not any(names.TAG_TRIAL_KEY in tags for tags in searched)
    assert RunTracker(store, {}).start_study(study_info()) == {"ended"}


def test_a_study_that_breaks_off_waits_for_what_is_being_sent_and_sends_nothing_more():
    class Slow(RecordingTracker):
        def start_trial(self, trial):
            begun.set()
            time.sleep(0.1)
            super().start_trial(trial)

    def break_off(tracker):
        with tracker:
            tracker.start_study(study_info())
            live(tracker)
            assert begun.wait(250)
            raise OSError("No space left on device")

    begun, inner = threading.Event(), Slow()
    tracker = BackgroundTracker(inner, notice=lambda _: None)
    with pytest.raises(OSError, match="No space left"):
        break_off(tracker)
    assert not tracker._thread.is_alive()
    assert {args[0].key for name, args in inner.calls if name == "start_trial"} == {"k0"}


def test_a_study_that_breaks_off_is_not_kept_by_a_store_that_hangs_and_says_no_more_of_it():
    notices, store = [], MemoryStore()
    with background(store, notices) as tracker:
        tracker.start_study(study_info())
        store.hangs.set()
        store._faults = iter(["before"])
        tracker.start_trial(trial_info())
        wait_until(lambda: store.is_hanging)
        left = time.monotonic()
    assert time.monotonic() - left < 30.0
    store.hangs.clear()
    tracker._thread.join(250)
    assert not tracker._thread.is_alive()
    assert notices == []
