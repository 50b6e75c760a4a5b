"""Record first, then tracker, then display; and the first word on a trial's end counts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from study.results import Outcome, TrialHistory
from study.session.session import StudySession
from study.store.record import Record
from study.tracking.tracker import TrackingError
from tests.helpers.small_studies import FIXED, QuietDisplay, history, search, session
from tests.helpers.trackers import RecordingTracker

POINT = {"pruning.schedule": "app", "pruning.final_density": 0.5, "stream.num_megabatches": 2}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[StudySession, str]]:
    made = session(search(points=[POINT]), tmp_path / "record.jsonl")
    key = made.propose(made.study.compose(POINT), source="point", chosen=POINT).key
    made.start(key)
    with made.record:
        yield made, key


def calls(made: StudySession) -> list[str]:
    assert isinstance(made.tracker, RecordingTracker)
    return [name for name, _ in made.tracker.calls]


def test_the_tracker_is_given_the_whole_history_and_only_when_it_grew(
    running: tuple[StudySession, str],
) -> None:
    made, key = running
    made.report(key, history(1))
    made.report(key, history(1))
    new_models = TrialHistory(history(2).epochs[2:], history(2).megabatches[1:])
    made.report(key, new_models)
    assert isinstance(made.tracker, RecordingTracker)
    logged = [args for name, args in made.tracker.calls if name == "log_history"]
    assert logged == [(key, history(1)), (key, history(2))]


def test_a_trial_ends_once(running: tuple[StudySession, str]) -> None:
    made, key = running
    made.report(key, history(2))
    made.finish_trial(key, Outcome.COMPLETE)
    made.finish_trial(key, Outcome.EARLY_STOPPED)
    made.report(key, history(2))
    assert made.record.trials[key].outcome is Outcome.COMPLETE
    assert calls(made) == ["start_trial", "log_history", "finish_trial", "describe_study"]
    assert isinstance(made.display, QuietDisplay)
    assert made.display.events == [("started", key), ("progressed", key), ("ended", key)]


def test_of_a_trial_that_has_ended_the_record_alone_is_held(
    running: tuple[StudySession, str],
) -> None:
    made, key = running
    described = made.info(key)
    made.report(key, history(2))
    made.finish_trial(key, Outcome.COMPLETE)
    assert made._infos == {}
    assert made.info(key) == described


def test_what_the_tracker_is_told_is_on_disk_before(
    running: tuple[StudySession, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, key = running

    def on_disk(*_: object) -> None:
        trial = Record.read(tmp_path / "record.jsonl").trials[key]
        assert (trial.history, trial.outcome) == (history(2), Outcome.COMPLETE)
        raise TrackingError("the store is away")

    made.report(key, history(2))
    monkeypatch.setattr(made.tracker, "finish_trial", on_disk)
    with pytest.raises(TrackingError), made.captured_errors():
        made.finish_trial(key, Outcome.COMPLETE)
    assert [str(error) for error in made.errors] == ["the store is away"]


def test_repair_tells_the_tracker_of_every_trial_that_has_ended_and_of_no_other(
    running: tuple[StudySession, str], tmp_path: Path
) -> None:
    made, key = running
    made.report(key, history(2))
    made.finish_trial(key, Outcome.ERROR, "it diverged")
    other = {**POINT, "pruning.final_density": 0.25}
    made.propose(made.study.compose(other), source="search", chosen=other)
    made.record.close()
    resumed = session(made.study, tmp_path / "record.jsonl")
    with resumed.record:
        resumed.resend_ended_trials()
        assert isinstance(resumed.tracker, RecordingTracker)
        assert resumed.tracker.calls == [
            ("start_trial", (made.info(key),)),
            ("finish_trial", (key, history(2), Outcome.ERROR, "it diverged")),
        ]
        resumed.tracker.calls.clear()
        replace(resumed, finished=frozenset({key})).resend_ended_trials()
        assert resumed.tracker.calls == []


@pytest.mark.parametrize("is_finished", [True, False])
def test_the_end_leaves_every_history_and_whether_the_study_is_finished(
    running: tuple[StudySession, str], is_finished: bool
) -> None:
    made, key = running
    made.report(key, history(1))
    made.end(is_finished=is_finished)
    outcome = Outcome.COMPLETE if is_finished else Outcome.INTERRUPTED
    assert made.record.is_finished is is_finished
    assert isinstance(made.tracker, RecordingTracker)
    assert made.tracker.calls[-1] == ("finish_study", ({key: history(1)}, outcome))
    name, (text,) = made.tracker.calls[-2]
    assert name == "describe_study"
    assert "0 of 5 trials have ended" in str(text)


def test_trials_recorded_before_the_data_was_moved_are_described(tmp_path: Path) -> None:
    before = search(points=[POINT], fixed={**FIXED, "data.root": "/before"})
    after = search(points=[POINT], fixed={**FIXED, "data.root": "/after"})
    path = tmp_path / "record.jsonl"
    with (made := session(before, path)).record:
        key = made.propose(before.compose(POINT), source="point", chosen=POINT).key
    with (made := session(after, path)).record:
        assert made.info(key).key == key
