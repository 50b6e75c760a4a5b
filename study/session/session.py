"""One process's part in a study: what is recorded, logged and shown, in this order."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from study.config.study_config import StudyConfig
from study.config.trial import TrialConfig
from study.data.dataset import ImageDataset
from study.results import Outcome, TrialHistory
from study.session.display import Display, SilentDisplay
from study.session.markdown_summary import markdown_summary
from study.session.service_models import ServiceModels
from study.store.folder import StudyFolder
from study.store.record import Record, RecordedTrial, Source
from study.tracking.facts import ModelInfo, TrialInfo
from study.tracking.tracker import Tracker
from study.trial.datasets import DatasetKey
from study.trial.description import TrialDescriber
from study.trial.study_description import study_info

_DESCRIBED_EVERY_S = 10.0


def open_session(  # noqa: PLR0913  # all that a session is made of
    study: StudyConfig,
    folder: StudyFolder,
    record: Record,
    datasets: Mapping[DatasetKey, ImageDataset],
    tracker: Tracker,
    *,
    display: Display | None = None,
    fetch_models: Callable[[str], None] | None = None,
) -> "StudySession":
    """A session on a study, which is opened in the tracker too.

    Args:
        study: As it was launched.
        folder: The study's.
        record: To be written to, or as it was read.
        datasets: All that its trials are trained on.
        tracker: Where the trials' reports are logged.
        display: The terminal; None for silence.
        fetch_models: Has a trial's models, by its key, in the study's folder; by default from
            the study's URL if it has one.

    Raises:
        TrackingError: The tracker's store fails, or has another study of this name.
    """
    info = study_info(study, num_trials=study.num_trials, study_id=record.study_id)
    finished = tracker.start_study(info)
    models = ServiceModels(
        study, folder.path / "trials", datasets, fetch_models or folder.fetch_models
    )
    describer = TrialDescriber(study, datasets)
    return StudySession(
        study,
        record,
        tracker,
        describer,
        display or SilentDisplay(),
        models.new_models,
        frozenset(finished),
    )


def no_models(trial: RecordedTrial) -> list[ModelInfo]:  # noqa: ARG001  # one of several
    """For studies that log no models."""
    return []


@dataclass(frozen=True)
class StudySession:
    """Takes what trials report to the record, the tracker and the display.

    ``new_models`` are those that a trial has written and that are not logged yet; ``finished`` are
    the keys of trials that the tracker had finished when the session was opened.
    """

    study: StudyConfig
    record: Record
    tracker: Tracker
    describer: TrialDescriber
    display: Display
    new_models: Callable[[RecordedTrial], list[ModelInfo]] = no_models
    finished: frozenset[str] = frozenset()
    errors: list[Exception] = field(default_factory=list)
    _infos: dict[str, TrialInfo] = field(default_factory=dict)
    _described_at: list[float] = field(default_factory=list)

    @contextlib.contextmanager
    def captured_errors(self) -> Iterator[None]:
        """Keep what goes wrong in ``errors``: Tune wraps or swallows it."""
        try:
            yield
        except Exception as error:
            self.errors.append(error)
            raise

    def propose(
        self,
        trial: TrialConfig,
        *,
        source: Source,
        chosen: Mapping[str, Any],
        proposed_by: str = "",
    ) -> RecordedTrial:
        """Record a configuration that is going to be tried."""
        return self.record.add_trial(
            trial.key(),
            source=source,
            chosen=chosen,
            config=trial.to_dict(),
            proposed_by=proposed_by,
        )

    def info(self, key: str) -> TrialInfo:
        """What trackers and displays are given of a recorded trial."""
        if key not in self._infos:
            recorded = self.record.find(key)
            trial = self.study.recorded(recorded.config)
            self._infos[key] = self.describer.describe(
                trial,
                number=recorded.number,
                started_at=recorded.proposed_at,
                updated_from=recorded.updated_from,
                proposed_by=recorded.proposed_by,
            )
        return self._infos[key]

    def start(self, key: str) -> None:
        """A trial runs on an actor, for the first time or again."""
        info = self.info(key)
        self.tracker.start_trial(info)
        self.display.started(info)

    def report(self, key: str, reported: TrialHistory) -> bool:
        """A trial has reported records, some of which may be known already.

        Returns:
            Whether any was new.
        """
        if self.record.find(key).outcome is not None:
            return False
        if not self.record.add_history(key, reported):
            return False
        history = self.record.find(key).history
        self.tracker.log_history(key, history)
        self._log_models(key)
        self.display.progressed(self.info(key), history)
        return True

    def add_notice(self, key: str, text: str) -> None:
        """A trial had a problem and continues: shown once, kept in the record and its run."""
        recorded = self.record.find(key)
        if recorded.outcome is not None or text in recorded.notices:
            return
        self.record.add_notice(key, text)
        self.tracker.log_notices(key, recorded.notices)
        self.display.notice(f"{self.info(key).title}: {text}")

    def worker_lost(self, key: str, cause: str) -> None:
        """A trial's worker died, and the trial continues on another."""
        done = self.record.trials[key].history
        self.add_notice(
            key,
            f"{cause}: resumed on a new worker ({len(done.megabatches)} megabatches and "
            f"{len(done.epochs)} epochs were reported)",
        )

    def finish_trial(self, key: str, outcome: Outcome, reason: str = "") -> None:
        """A trial has ended; only the first call counts."""
        recorded = self.record.find(key)
        if recorded.outcome is not None:
            return
        self.record.add_outcome(key, outcome, reason)
        self._log_models(key)
        self.tracker.finish_trial(key, recorded.history, outcome, reason)
        if (
            not self._described_at
            or time.monotonic() - self._described_at[-1] > _DESCRIBED_EVERY_S
        ):
            self._described_at[:] = [time.monotonic()]
            self._describe()
        self.display.ended(self.info(key), recorded)
        del self._infos[key]  # it is made anew for who asks

    def _describe(self) -> None:
        trials = self.record.trials.values()
        text = markdown_summary(self.study, trials)
        self.tracker.describe_study(text)

    def resend_ended_trials(self) -> None:
        """Bring the tracker up to the record, after a process that died in between.

        Every ended trial that the tracker had not finished is started again for it: so a tracking
        store that is empty, or another one, is filled as well.
        """
        for key in self.record.trials:
            if key not in self.finished:
                self.resend_trial(key)

    def resend_trial(self, key: str) -> None:
        """Log all of a trial that has ended."""
        recorded = self.record.find(key)
        if recorded.outcome is None:
            return
        self.tracker.start_trial(self.info(key))
        if recorded.notices:
            self.tracker.log_notices(key, recorded.notices)
        self._log_models(key)
        self.tracker.finish_trial(key, recorded.history, recorded.outcome, recorded.reason)
        del self._infos[key]

    def _log_models(self, key: str) -> None:
        recorded = self.record.find(key)
        models = self.new_models(recorded)
        if models:  # their metrics are the run's, which must have them first
            self.tracker.log_history(key, recorded.history)
        for model in models:
            self.tracker.log_model(key, model)

    def end(self, *, is_finished: bool) -> None:
        """The process's part is over; the study's too if ``is_finished``."""
        if is_finished:
            self.record.finish()
        self.close(Outcome.COMPLETE if is_finished else Outcome.INTERRUPTED)

    def close(self, outcome: Outcome) -> None:
        """Finish the study in the tracker, as the record has it."""
        self._describe()
        histories = {key: trial.history for key, trial in self.record.all.items()}
        self.tracker.finish_study(histories, outcome)
