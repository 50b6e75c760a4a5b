"""A tracker on a store of runs: a parent run per study, a child run per trial.

The driver is the only writer. A call that breaks off at any point is made good by a new tracker
that repeats it: runs are found again by their tags, params and metrics that the store already has
are not sent again, and a run's final status is the last thing that is written to it.
"""

import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from study.results import Outcome, TrialHistory
from study.tracking import names
from study.tracking.artifacts.run_files import log_study_files, log_trial_files
from study.tracking.artifacts.runs_table import write_runs
from study.tracking.contenders import Contenders
from study.tracking.facts import ModelInfo, StudyInfo, TrackedStudy, TrialInfo
from study.tracking.metric_points import last_metrics, metric_points
from study.tracking.mlflow.saved_view import study_view, view_key
from study.tracking.run_store import FINISHED, RUNNING, STATUSES, RunStore, StoredRun
from study.tracking.run_writer import RunWriter
from study.tracking.tracked_study import read_study
from study.tracking.tracker import Tracker, TrackingError

# MLflow's own.
DESCRIPTION_TAG: Final = "mlflow.note.content"
_TITLE_TAG: Final = "mlflow.runName"


@dataclass
class _TrialRun:
    """How much of a trial the store has; ``known`` is None until it was read."""

    run_id: str
    title: str
    known: frozenset[tuple[str, int]] | None
    is_finished: bool = False
    num_epochs: int = 0
    num_megabatches: int = 0


class RunTracker:
    """Logs a study to a store of runs.

    Args:
        store: Where the runs are.
        extra_tags: Put on every run; the study's own go before them.
    """

    def __init__(self, store: RunStore, extra_tags: Mapping[str, str]) -> None:
        self._store = store
        self._runs = RunWriter(store, extra_tags)
        self._study: StudyInfo | None = None
        self._study_run_id = ""
        self._trials: dict[str, _TrialRun] = {}
        self._found: dict[str, StoredRun] = {}  # when the study was started
        self._titles: dict[str, str] = {}  # of the trials found then
        self._asked: set[str] = set()  # trials that were to be started since
        self._contenders = Contenders(())

    @property
    def address(self) -> str:
        """The store's address, without credentials, to be shown."""
        return self._store.address

    def has_study(self, name: str) -> bool:
        """Whether the store has a parent run of this name."""
        return self._runs.has_study(name)

    def read_study(self, name: str) -> TrackedStudy | None:
        """What the store has of a study that has ended or not; None where it has none."""
        return read_study(self._store, name)

    def start_study(self, study: StudyInfo) -> Collection[str]:
        """Open the parent run, or continue the study's own.

        Returns:
            The keys of the trials whose run is finished.

        Raises:
            TrackingError: The store has another study of that name.
            ValueError: The name holds a quote or a backslash.
        """
        found = self._runs.find_study(study)
        run = self._runs.open_study(study, found)
        self._store.save_view(view_key(study.name), study_view(study, made_at=time.time()))
        self._study, self._study_run_id, self._trials = study, run.run_id, {}
        # To look for each trial on its own takes longer the more runs there are.
        runs = self._runs.trials(study)
        self._found = {run.tags[names.TAG_TRIAL_KEY]: run for run in reversed(runs)}
        self._asked = set()
        self._contenders = Contenders(study.shown_metrics)
        for run in runs:
            self._contenders.is_drawn(run.metrics, run.outcome)
        self._titles = {key: run.tags.get(_TITLE_TAG, key) for key, run in self._found.items()}
        return {key for key, run in self._found.items() if run.status == FINISHED}

    def start_trial(self, trial: TrialInfo) -> None:
        """Open the trial's run, or continue the one with its key; a finished one is not changed.

        Raises:
            ValueError: The key holds a quote or a backslash.
        """
        study = self._current_study()
        found = self._found.pop(trial.key, None)  # as it was then: once
        if found is None and trial.key in self._asked:
            # What seemed to fail may have made it.
            found = self._runs.find_trial(study, trial.key)
        self._asked.add(trial.key)
        if found is not None and found.status == FINISHED:
            self._trials[trial.key] = _TrialRun(found.run_id, trial.title, None, is_finished=True)
            return
        run = self._runs.open_trial(trial, found, study=study, parent_id=self._study_run_id)
        known: frozenset[tuple[str, int]] | None = frozenset() if found is None else None
        self._trials[trial.key] = _TrialRun(run.run_id, trial.title, known)

    def log_history(self, trial_key: str, history: TrialHistory) -> None:
        """Log the metrics that the store is missing, in as few requests as they fit in.

        Raises:
            TrackingError: No run of the study has this key.
        """
        trial = self._trial(trial_key)
        if trial.is_finished:
            return
        known = self._logged(trial.run_id) if trial.known is None else trial.known
        num_epochs, num_megabatches = trial.num_epochs, trial.num_megabatches
        points = metric_points(history, num_epochs=num_epochs, num_megabatches=num_megabatches)
        # What the store has is unknown until all is sent: if this fails, the next call asks it.
        trial.known, trial.num_epochs, trial.num_megabatches = None, 0, 0
        self._store.log_metrics(trial.run_id, [p for p in points if (p.name, p.step) not in known])
        trial.known = known
        trial.num_epochs = max(num_epochs, len(history.epochs))
        trial.num_megabatches = max(num_megabatches, len(history.megabatches))

    def log_model(self, trial_key: str, model: ModelInfo) -> None:
        """Log a model of the trial, unless the store has it already.

        Raises:
            TrackingError: No run of the study has this key.
        """
        trial = self._trial(trial_key)
        if trial.is_finished:
            return
        tags = {
            names.TAG_MODEL: names.MODEL_IN_SERVICE,
            names.TAG_STUDY: self._current_study().name,
            names.TAG_TRIAL_KEY: trial_key,
            names.TAG_MEGABATCH: str(model.step),
        }
        self._store.log_model(trial.run_id, model, tags)

    def log_notices(self, trial_key: str, notices: Sequence[str]) -> None:
        """Set the tag that holds what the trial ran into and got over.

        Raises:
            TrackingError: No run of the study has this key.
        """
        trial = self._trial(trial_key)
        if not trial.is_finished:
            self._runs.set_tag(trial.run_id, names.TAG_NOTICES, "\n".join(notices))

    def finish_trial(
        self, trial_key: str, history: TrialHistory, outcome: Outcome, reason: str
    ) -> None:
        """Complete the trial's metrics, log its history as Parquet, then close its run.

        It is drawn where it can win, and always in a small study.

        Raises:
            TrackingError: No run of the study has this key.
        """
        trial = self._trial(trial_key)
        if trial.is_finished:
            return
        self.log_history(trial_key, history)
        is_drawn = self._contenders.is_drawn(last_metrics(history), outcome)
        with tempfile.TemporaryDirectory() as folder:
            tags = log_trial_files(
                Path(folder), trial_key, trial.title, history, with_pictures=is_drawn
            )
            self._store.log_folder(trial.run_id, Path(folder))
        by = {names.TAG_KERNELS: history.kernels, names.TAG_MEASURED_WITH: history.measured_with}
        tags |= {tag: text for tag, text in by.items() if text}
        ended_at = history.last_recorded_at
        self._runs.close(trial.run_id, outcome, reason, tags=tags, ended_at=ended_at)
        # Should it be called again for a trial that has not finished, it asks the store.
        self._trials[trial_key] = _TrialRun(
            trial.run_id, trial.title, None, STATUSES[outcome] == FINISHED
        )

    def describe_study(self, description: str) -> None:
        """Set the text that is shown above the parent run."""
        self._runs.set_tag(self._study_run_id, DESCRIPTION_TAG, description)

    def finish_study(self, histories: Mapping[str, TrialHistory], outcome: Outcome) -> None:
        """Close what is still open, log all histories as Parquet, then close the parent run.

        When a study ends no trial of it lives: those that the store still shows as running were
        interrupted, before their outcome was known (interrupted) or just after it was written.
        """
        study = self._current_study()
        for run in self._runs.trials(study, RUNNING):
            key, tag = run.tags[names.TAG_TRIAL_KEY], run.tags.get(names.TAG_OUTCOME)
            if self._trial(key).run_id != run.run_id:
                # Made by a request that seemed to fail and was repeated.
                self._store.remove(run.run_id)
                continue
            ended = Outcome(tag) if tag in set(Outcome) else Outcome.INTERRUPTED
            reason = run.tags.get(names.TAG_REASON, "")
            self.finish_trial(key, histories.get(key, TrialHistory()), ended, reason)
        titles = self._titles | {key: trial.title for key, trial in self._trials.items()}
        with tempfile.TemporaryDirectory() as folder:
            shown = log_study_files(Path(folder), titles, histories)
            write_runs(Path(folder) / names.RUNS_ARTIFACT, self._runs.trials(study))
            self._store.log_folder(self._study_run_id, Path(folder))
        # Not when this is called: that may be long after.
        ended_at = max((h.last_recorded_at for h in histories.values()), default=0.0)
        self._runs.close(self._study_run_id, outcome, "", tags=shown, ended_at=ended_at)

    def _current_study(self) -> StudyInfo:
        assert self._study is not None, "start_study comes first"
        return self._study

    def _trial(self, trial_key: str) -> _TrialRun:
        """The trial's run, looked for in the store where this tracker has not started it."""
        if trial_key not in self._trials:
            study = self._current_study()
            run = self._runs.find_trial(study, trial_key)
            if run is None:
                raise TrackingError(
                    f"study {study.name!r} has no trial {trial_key!r} in {self.address}; "
                    "start_trial makes one"
                )
            self._trials[trial_key] = _TrialRun(
                run.run_id, trial_key, None, run.status == FINISHED
            )
        return self._trials[trial_key]

    def _logged(self, run_id: str) -> frozenset[tuple[str, int]]:
        present = self._store.metric_names(run_id)
        history = (m for m in present if not m.startswith(names.HYPERPARAMETER_PREFIX))
        return self._store.logged(run_id, history)


if TYPE_CHECKING:

    def _conforms(store: RunStore) -> Tracker:
        return RunTracker(store, {})
