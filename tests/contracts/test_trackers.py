"""All trackers take the same calls, and leave nothing of a study's secrets in their addresses."""

import pytest

from study.credentials import without_credentials
from study.results import Outcome, TrialHistory
from study.tracking.address import absolute_uri, artifact_location
from study.tracking.background import BackgroundTracker
from study.tracking.mlflow.tracker import MlflowTracker
from tests.helpers.trackers import NullTracker, RecordingTracker
from tests.helpers.tracking_records import before, history, study_info, trial_info


def in_background():
    return BackgroundTracker(RecordingTracker(), notice=[].append)


TRACKERS = {
    "null": NullTracker,
    "recording": RecordingTracker,
    "background": in_background,
    "mlflow": MlflowTracker,
}


@pytest.fixture(scope="module", params=sorted(TRACKERS))
def tracker(request, tmp_path_factory):
    address = f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"
    kind = TRACKERS[request.param]
    return kind(address) if kind is MlflowTracker else kind()


def drive(tracker, name):
    """Everything a launcher may say: whole, cut, failed and resumed trials, and repetitions."""
    whole = history(2)
    tracker.start_study(study_info(name))
    for number, outcome in enumerate(Outcome):
        tracker.start_trial(trial_info(f"k{number}", number))
        tracker.log_history(f"k{number}", before(whole, 1))
        tracker.log_history(f"k{number}", before(whole, 1))
        reason = "out of memory" if outcome is Outcome.ERROR else ""
        tracker.finish_trial(f"k{number}", whole, outcome, reason)
    tracker.start_trial(trial_info("k3", 3))
    tracker.finish_trial("k3", whole, Outcome.COMPLETE, "")
    tracker.start_trial(trial_info("silent", 4))
    tracker.finish_trial("silent", TrialHistory(), Outcome.ERROR, "no memory")
    tracker.describe_study("| best |")
    tracker.finish_study({f"k{number}": whole for number in range(4)}, Outcome.COMPLETE)


def test_every_tracker_takes_a_study_and_takes_it_again(tracker):
    drive(tracker, "once")
    drive(tracker, "once")


def test_no_tracker_changes_what_it_is_given(tracker):
    histories = {"k": history(2)}
    text = histories["k"].to_json()
    tracker.start_study(study_info("given"))
    tracker.start_trial(trial_info("k"))
    tracker.finish_trial("k", histories["k"], Outcome.COMPLETE, "")
    tracker.finish_study(histories, Outcome.COMPLETE)
    assert {key: value.to_json() for key, value in histories.items()} == {"k": text}


def test_the_recording_tracker_keeps_calls_in_order_and_histories_as_they_were():
    tracker = RecordingTracker()
    histories = {"k": history(1)}
    tracker.log_history("k", histories["k"])
    tracker.finish_study(histories, Outcome.INTERRUPTED)
    histories.clear()
    assert tracker.calls == [
        ("log_history", ("k", history(1))),
        ("finish_study", ({"k": history(1)}, Outcome.INTERRUPTED)),
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://ann:s3cret@host:5000/a", "http://***@host:5000/a"),
        ("postgresql+psycopg2://ann:p@ss@db/x", "postgresql+psycopg2://***@db/x"),
        ("postgresql://ann:p/s#s@db/x", "postgresql://***@db/x"),
        ("http://host:5000/path@v1", "http://host:5000/path@v1"),
        (
            "mysql://db/x?user=ann&password=s3cret&ssl=1",
            "mysql://db/x?user=***&password=***&ssl=1",
        ),
        ("uri: 'https://token@host'\nname: a@b", "uri: 'https://***@host'\nname: a@b"),
        ("https://host/path@v1 and ann@host", "https://host/path@v1 and ann@host"),
        ("sqlite:////home/ann/mlflow.db", "sqlite:////home/ann/mlflow.db"),
    ],
)
def test_credentials_are_hidden_and_nothing_else_is(text, shown):
    assert without_credentials(text) == shown


def test_a_relative_database_is_pinned_to_where_the_study_started(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_uri("sqlite:///a/mlflow.db") == f"sqlite:///{tmp_path}/a/mlflow.db"
    assert artifact_location("sqlite:///mlflow.db") == (tmp_path / "mlartifacts").as_uri()
    assert artifact_location("sqlite:////a%20b/mlflow.db") == "file:///a%20b/mlartifacts"
    assert absolute_uri("sqlite:////a%25%3Fb.db?mode=rw") == "sqlite:////a%25%3Fb.db?mode=rw"
    for other in ("http://host:5000", "sqlite://", "sqlite:///:memory:", "postgresql://h/d"):
        assert absolute_uri(other) == other
        assert artifact_location(other) is None
