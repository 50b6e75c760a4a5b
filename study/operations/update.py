"""A complete trial trains on data that has arrived since: the anytime promise, in production."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

from study.data.sources.arrivals import write_arrival
from study.errors import StudyError, TrialError
from study.measurement.trial import TrialMeasurement
from study.operations.opened_study import OpenedStudy
from study.operations.update_plan import Update
from study.results import EpochRecord, MegabatchRecord, Outcome
from study.session.display import SilentDisplay
from study.session.service_models import keep_model
from study.session.session import StudySession, open_session
from study.store.record import Record, RecordedTrial
from study.text import count
from study.tracking.background import BackgroundTracker, Undelivered
from study.tracking.tracker import Tracker
from study.training.anytime import AnytimeLearner
from study.training.checkpoint import CheckpointFolder, checkpointed
from study.trial.assembly import assemble
from study.trial.datasets import dataset_key
from study.tune.cluster.resources import is_worth_a_gpu, limit_process


class _NoticeDisplay(SilentDisplay):
    """Shows notices alone."""

    def __init__(self, notice: Callable[[str], None]) -> None:
        self._notice = notice

    def notice(self, text: str) -> None:
        """Something the person should know."""
        self._notice(text)


@contextlib.contextmanager
def opened_for_writing(opened: OpenedStudy) -> Iterator[OpenedStudy]:
    """The study locked by this process, its record as it is now.

    Raises:
        StudyError: Another process runs the study.
        StorageError: The store fails.
    """
    with opened.folder.lock(), opened.folder.open_record() as record:
        yield dataclasses.replace(opened, record=record)


def train_update(
    opened: OpenedStudy,
    update: Update,
    open_tracker: Callable[[], Tracker],
    notice: Callable[[str], None],
) -> tuple[RecordedTrial, Undelivered | None]:
    """Train the trial on what has arrived; interrupted and called again, it ends the same.

    Args:
        opened: The study, locked by this process.
        update: What to train on.
        open_tracker: Opens the store that the study is logged to.
        notice: Prints something the person should know.

    Returns:
        The updated trial, and what the tracking store is missing of it.

    Raises:
        StudyError: It has failed before, or the checkpoint that it starts from is gone.
        TrialError: Training fails.
        StorageError: The study's URL fails; called again, it resumes.
    """
    record, key = opened.record, update.trial.key()
    known = record.all.get(key)
    if known is not None and known.outcome not in (None, Outcome.COMPLETE):
        raise StudyError(f"this update failed before, as trial {known.number}: {known.reason}")
    is_known = known is not None and known.outcome is not None
    learner = None if is_known else _restored_learner(opened, update)
    with BackgroundTracker(open_tracker(), notice=notice) as tracker:
        if learner is not None:
            _begin(record, update)
        # With its data where it lies now.
        record.find(key).config = update.trial.to_dict()
        session = _session(opened, update, tracker, notice)
        try:
            if learner is not None:
                _train(opened, learner, session)
            session.resend_trial(key)
        finally:
            session.close(Outcome.COMPLETE if record.is_finished else Outcome.INTERRUPTED)
        return record.find(key), tracker.undelivered


def _begin(record: Record, update: Update) -> None:
    for path, arrival in update.arrivals:
        if not path.exists():
            write_arrival(arrival, path)
    config = update.trial.to_dict()
    record.begin_update(update.trial.key(), updated_from=update.before.key, config=config)


def _restored_learner(opened: OpenedStudy, update: Update) -> AnytimeLearner:
    """The learner at the checkpoint of an earlier call, or at the end of the trial before."""
    dataset = opened.dataset(update.trial)
    resources = opened.study.resources  # as every trial of the study
    gpus = resources.gpus_per_trial
    sees_gpus = is_worth_a_gpu(update.trial, dataset) if gpus is None else gpus > 0
    limit_process(resources.cpus_per_trial, sees_gpus=sees_gpus)
    folder, before = opened.folder, update.before
    mirror = folder.mirror(update.trial.key())
    if mirror is not None:
        mirror.pull()
    state = CheckpointFolder(folder.trial_path(update.trial.key()) / "checkpoints").load_latest()
    if state is None:
        folder.fetch_trial(before.key, "checkpoints")
        state = CheckpointFolder(folder.trial_path(before.key) / "checkpoints").load_latest()
        done = before.history.megabatches[-1].megabatch_index + 1
        if state is None or state["epoch_index"] or state["megabatch_index"] != done:
            raise StudyError(
                f"the last checkpoint of trial {before.number} is gone from "
                f"{folder.trial_path(before.key)}: it cannot be updated without"
            )
    learner = assemble(
        update.trial,
        dataset,
        service_after=opened.study.objective.service_after,
        measure=TrialMeasurement.from_study(opened.study, update.trial, dataset),
    )
    learner.load_state_dict(state)
    return learner


def _session(
    opened: OpenedStudy, update: Update, tracker: BackgroundTracker, notice: Callable[[str], None]
) -> StudySession:
    datasets = {dataset_key(update.trial.data): opened.dataset(update.trial)}
    return open_session(
        opened.study,
        opened.folder,
        opened.record,
        datasets,
        tracker,
        display=_NoticeDisplay(notice),
    )


def _train(opened: OpenedStudy, learner: AnytimeLearner, session: StudySession) -> None:
    key = learner.spec.identity
    session.start(key)
    session.report(key, learner.history)
    try:
        for _ in _checkpointed(opened, learner):
            session.report(key, learner.history)
    except TrialError as error:
        session.finish_trial(key, Outcome.ERROR, str(error))
        raise
    session.finish_trial(key, Outcome.COMPLETE)


def _checkpointed(opened: OpenedStudy, learner: AnytimeLearner) -> Iterator[object]:
    """Train, and yield each record with which a checkpoint has been written."""
    folder = opened.folder.trial_path(learner.spec.identity)
    checkpoints = CheckpointFolder(folder / "checkpoints")
    mirror = opened.folder.mirror(learner.spec.identity)

    def save(record: EpochRecord | MegabatchRecord) -> None:
        if isinstance(record, MegabatchRecord):
            keep_model(learner, folder, opened.study.tracking.log_models)
        checkpoints.save_learner(learner, record)
        if mirror is not None:
            mirror.push()

    return checkpointed(learner, save, every_s=opened.study.resources.checkpoint_every_s)


def describe_changes(before: RecordedTrial, after: RecordedTrial) -> str:
    """What the update has changed, in a sentence."""
    old, new = before.history.megabatches[-1], after.history.megabatches[-1]
    changed = [
        f"{words} {old.metrics[name]:.4g} → {new.metrics[name]:.4g}"
        for name, words in (("holdout_error_rate", "holdout error"), ("density", "density"))
        if name in old.metrics and name in new.metrics
    ]
    num_new = new.megabatch_index - old.megabatch_index
    return (
        f"Trial {after.number} is trial {before.number} after {count(num_new, 'arrival')}: "
        f"{', '.join(changed)}"
    )
