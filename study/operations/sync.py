"""Bring a tracking store up to a study's record, whatever it is missing."""

from collections.abc import Callable

from study.config.study_config import StudyConfig
from study.config.trial import TrialConfig
from study.results import Outcome, TrialHistory
from study.session.session import StudySession, open_session
from study.store.folder import StudyFolder
from study.store.record import Record
from study.tracking.tracker import Tracker
from study.trial.read_data import load_and_check


def sync_study(
    study: StudyConfig, folder: StudyFolder, open_tracker: Callable[[], Tracker]
) -> int:
    """Log what the store is missing, and nothing twice.

    Args:
        study: As it was launched, its plug-ins imported.
        folder: Its folder.
        open_tracker: Opens the store.

    Returns:
        How many trials the study has.

    Raises:
        ConfigError: The data, whose sizes are logged too, cannot be read.
        StorageError: The study's own store fails.
        StudyError: Another process runs the study, or its record is damaged.
        TrackingError: The store fails, or has another study of this name; what it has is not
            logged again.
    """
    with folder.lock():
        record = Record.read(folder.record_path)
        datasets = load_and_check(tracked_trials(study, record))
        sync(open_session(study, folder, record, datasets, open_tracker()))
        return len(record.all)


def tracked_trials(study: StudyConfig, record: Record) -> dict[str, TrialConfig]:
    """By key, trials that use all the data whose sizes are logged."""
    trials = {trial.key(): trial for trial in study.corners()}
    return trials | {key: study.recorded(u.config) for key, u in record.updates.items()}


def sync(session: StudySession) -> None:
    """Log all that the record holds of a study that is not running."""
    record, tracker = session.record, session.tracker
    session.resend_ended_trials()
    for key in record.updates:
        session.resend_trial(key)
    for trial in (t for t in record.all.values() if t.outcome is None):
        if trial.history != TrialHistory():
            tracker.start_trial(session.info(trial.key))
            tracker.log_history(trial.key, trial.history)
    session.close(Outcome.COMPLETE if record.is_finished else Outcome.INTERRUPTED)
