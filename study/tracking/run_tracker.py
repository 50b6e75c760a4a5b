"""Studies as runs of a store: a parent run per study, a child run per trial.

The driver is the only writer. Every call can break off at any point and be made good by a new
tracker that repeats it: runs are found again by their tags, facts and metrics that the store
already has are not sent again, and a run's final status is the last thing that is written to it.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from study import __version__
from study.credentials import without_credentials
from study.results import Outcome, TrialHistory
from study.tracking import names
from study.tracking.artifacts.run_files import log_study_files, log_trial_files
from study.tracking.artifacts.runs_table import write_runs
from study.tracking.facts import ModelInfo, StudyInfo, TrackedStudy, TrialInfo
from study.tracking.metric_points import MetricPoint, metric_points
from study.tracking.mlflow.saved_view import study_view, view_key
from study.tracking.run_store import RunStore, StoredRun
from study.tracking.tracked_study import read_study
from study.tracking.tracker import Tracker, TrackingError

# MLflow's own tags.
PARENT_TAG: Final = "mlflow.parentRunId"
DESCRIPTION_TAG: Final = "mlflow.note.content"
SOURCE_TAG: Final = "mlflow.source.name"
SOURCE_TYPE_TAG: Final = "mlflow.source.type"
SOURCE: Final = f"app-study {__version__}"

RUNNING: Final = "RUNNING"
FINISHED: Final = "FINISHED"
STATUSES: Final[Mapping[Outcome, str]] = {
    Outcome.COMPLETE: FINISHED,
    Outcome.EARLY_STOPPED: FINISHED,
    Outcome.ERROR: "FAILED",
    Outcome.INTERRUPTED: "KILLED",
}

MAX_REASON_LENGTH: Final = 500


@dataclass
class _TrialRun:
    """How much of a trial the store has; ``known`` is None until it has been asked."""

    run_id: str
    title: str
    known: frozenset[tuple[str, int]] | None
    is_finished: bool = False
    num_epochs: int = 0
    num_megabatches: int = 0


class RunTracker:
    """Brings a store of runs up to what the study says."""

    def __init__(self, store: RunStore, extra_tags: Mapping[str, str]) -> None:
        self._store = store
        self._extra_tags = dict(extra_tags)
        self._study: StudyInfo | None = None
        self._study_run_id = ""
        self._trials: dict[str, _TrialRun] = {}
        self._earlier: dict[str, StoredRun] = {}

    @property
    def address(self) -> str:
        """The store's address, without credentials, to be shown."""
        return self._store.address

    def has_study(self, name: str) -> bool:
        """Whether the store has a parent run of this name."""
        wanted = {names.TAG_KIND: names.KIND_STUDY, names.TAG_STUDY: name}
        return next(iter(self._store.find(wanted)), None) is not None

    def read_study(self, name: str) -> TrackedStudy | None:
        """What the store has of a study that has ended or not; None where it has none."""
        return read_study(self._store, name)

    def start_study(self, study: StudyInfo) -> None:
        """Open the parent run, or continue the one of that name.

        Raises:
            ValueError: The name holds a quote or a backslash.
        """
        tags = {
            **self._shared_tags(study),
            names.TAG_KIND: names.KIND_STUDY,
            names.TAG_FINGERPRINT: study.fingerprint,
            names.TAG_DESCRIPTION: study.description,
            **({names.TAG_CONFIRMS: study.confirms} if study.confirms else {}),
        }
        found = self._find(names.KIND_STUDY, study)
        run = self._open(found, study.name, tags)
        self._complete_facts(run, study.params, {}, study.config_yaml)
        self._store.save_view(view_key(study.name), study_view(study, made_at=time.time()))
        self._study, self._study_run_id, self._trials = study, run.run_id, {}
        # Asked once for all: a study that is resumed starts every trial that it had.
        runs = self._trial_runs(study) if found is not None else []
        self._earlier = {run.tags[names.TAG_TRIAL_KEY]: run for run in reversed(runs)}

    def start_trial(self, trial: TrialInfo) -> None:
        """Open the trial's run, or continue the one with its key; a finished one is left as is.

        Raises:
            ValueError: The key holds a quote or a backslash.
        """
        study = self._current_study()
        found = self._earlier.pop(trial.key, None)  # as it was then: once
        if found is None:
            found = self._find(names.KIND_TRIAL, study, trial.key)
        if found is not None and found.status == FINISHED:
            self._trials[trial.key] = _TrialRun(found.run_id, trial.title, None, is_finished=True)
            return
        tags = {
            **self._shared_tags(study),
            **trial.tags,
            names.TAG_STUDY: study.name,
            names.TAG_KIND: names.KIND_TRIAL,
            names.TAG_TRIAL_KEY: trial.key,
            names.TAG_TRIAL_NUMBER: str(trial.number),
            PARENT_TAG: self._study_run_id,
        }
        run = self._open(found, trial.title, tags, started_at=trial.started_at)
        self._complete_facts(
            run,
            trial.params,
            trial.hyperparameters,
            trial.config_yaml,
            started_at=trial.started_at,
        )
        if trial.dataset is not None:
            self._store.add_dataset(run.run_id, trial.dataset)
        known: frozenset[tuple[str, int]] | None = frozenset() if found is None else None
        self._trials[trial.key] = _TrialRun(run.run_id, trial.title, known)

    def log_history(self, trial_key: str, history: TrialHistory) -> None:
        """Send the metrics that the store has not got, in as few requests as they fit in.

        Raises:
            TrackingError: No run of the study has this key.
        """
        trial = self._trial(trial_key)
        if trial.is_finished:
            return
        known = self._logged(trial.run_id) if trial.known is None else trial.known
        num_epochs, num_megabatches = trial.num_epochs, trial.num_megabatches
        points = metric_points(history, num_epochs=num_epochs, num_megabatches=num_megabatches)
        # Until all is sent nobody knows what the store has: if this fails, the next call asks.
        trial.known, trial.num_epochs, trial.num_megabatches = None, 0, 0
        self._store.log_metrics(trial.run_id, [p for p in points if (p.name, p.step) not in known])
        trial.known = known
        trial.num_epochs = max(num_epochs, len(history.epochs))
        trial.num_megabatches = max(num_megabatches, len(history.megabatches))

    def log_model(self, trial_key: str, model: ModelInfo) -> None:
        """Leave a model of the trial in the store, unless it is there already.

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
        text = without_credentials("\n".join(notices))
        if not trial.is_finished:
            self._store.set_tags(trial.run_id, {names.TAG_NOTICES: text})

    def finish_trial(
        self, trial_key: str, history: TrialHistory, outcome: Outcome, reason: str
    ) -> None:
        """Complete the trial's metrics, leave its history as Parquet, then close its run.

        Raises:
            TrackingError: No run of the study has this key.
        """
        trial = self._trial(trial_key)
        if trial.is_finished:
            return
        self.log_history(trial_key, history)
        with tempfile.TemporaryDirectory() as folder:
            shown = log_trial_files(Path(folder), trial_key, trial.title, history)
            self._store.log_folder(trial.run_id, Path(folder))
        ended_at = history.last_recorded_at
        self._close(trial.run_id, outcome, reason, shown=shown, ended_at=ended_at)
        # Should it be called again for a trial that has not finished, it asks the store.
        self._trials[trial_key] = _TrialRun(
            trial.run_id, trial.title, None, STATUSES[outcome] == FINISHED
        )

    def describe_study(self, description: str) -> None:
        """Set the text that is shown above the parent run."""
        text = without_credentials(description)
        self._store.set_tags(self._study_run_id, {DESCRIPTION_TAG: text})

    def finish_study(self, histories: Mapping[str, TrialHistory], outcome: Outcome) -> None:
        """Close what is still open, leave all histories as Parquet, then close the parent run.

        When a study ends no trial of it lives: those that the store still shows as running were
        interrupted, before their outcome was known (interrupted) or just after it was written.
        """
        study = self._current_study()
        for run in self._trial_runs(study, RUNNING):
            key, tag = run.tags[names.TAG_TRIAL_KEY], run.tags.get(names.TAG_OUTCOME)
            if self._trial(key).run_id != run.run_id:
                # Made by a request that was thought lost, and made again.
                self._store.discard(run.run_id)
                continue
            ended = Outcome(tag) if tag in set(Outcome) else Outcome.INTERRUPTED
            reason = run.tags.get(names.TAG_REASON, "")
            self.finish_trial(key, histories.get(key, TrialHistory()), ended, reason)
        titles = {key: trial.title for key, trial in self._trials.items()}
        with tempfile.TemporaryDirectory() as folder:
            shown = log_study_files(Path(folder), titles, histories)
            write_runs(Path(folder) / names.RUNS_ARTIFACT, self._trial_runs(study))
            self._store.log_folder(self._study_run_id, Path(folder))
        # Not when its last word arrived: that may be long after.
        ended_at = max((h.last_recorded_at for h in histories.values()), default=0.0)
        self._close(self._study_run_id, outcome, "", shown=shown, ended_at=ended_at)

    def _current_study(self) -> StudyInfo:
        assert self._study is not None, "start_study comes first"
        return self._study

    def _shared_tags(self, study: StudyInfo) -> dict[str, str]:
        return {
            SOURCE_TAG: SOURCE,
            SOURCE_TYPE_TAG: "LOCAL",
            **self._extra_tags,
            names.TAG_STUDY: study.name,
            names.TAG_SCHEMA: names.SCHEMA_VERSION,
            names.TAG_VERSION: __version__,
            names.TAG_OBJECTIVES: ",".join(study.objectives),
        }

    def _find(self, kind: str, study: StudyInfo, trial_key: str | None = None) -> StoredRun | None:
        wanted = {names.TAG_KIND: kind, names.TAG_STUDY: study.name}
        if trial_key is not None:
            wanted[names.TAG_TRIAL_KEY] = trial_key
        return next(iter(self._store.find(wanted)), None)

    def _trial_runs(self, study: StudyInfo, status: str | None = None) -> list[StoredRun]:
        wanted = {names.TAG_KIND: names.KIND_TRIAL, names.TAG_STUDY: study.name}
        return self._store.find(wanted, status)

    def _trial(self, trial_key: str) -> _TrialRun:
        """The trial's run, looked for in the store where this tracker has not started it."""
        if trial_key not in self._trials:
            study = self._current_study()
            run = self._find(names.KIND_TRIAL, study, trial_key)
            if run is None:
                raise TrackingError(
                    f"study {study.name!r} has no trial {trial_key!r} in {self.address}; "
                    "start_trial makes one"
                )
            self._trials[trial_key] = _TrialRun(
                run.run_id, trial_key, None, run.status == FINISHED
            )
        return self._trials[trial_key]

    def _open(
        self,
        found: StoredRun | None,
        title: str,
        tags: Mapping[str, str],
        *,
        started_at: float = 0.0,
    ) -> StoredRun:
        """A new run, or ``found`` with tags and status of a running one."""
        clean = {tag: without_credentials(text) for tag, text in tags.items()}
        clean[names.TAG_OUTCOME] = names.OUTCOME_RUNNING
        if found is None:
            return self._store.create(without_credentials(title), clean, started_at=started_at)
        if names.TAG_REASON in found.tags:
            self._store.remove_tag(found.run_id, names.TAG_REASON)
        self._store.reopen(found, clean)
        return found

    def _complete_facts(
        self,
        run: StoredRun,
        params: Mapping[str, object],
        hyperparameters: Mapping[str, float],
        config_yaml: str,
        *,
        started_at: float = 0.0,
    ) -> None:
        numbers = {names.HYPERPARAMETER_PREFIX + k: v for k, v in hyperparameters.items()}
        self._store.log_params(
            run.run_id,
            {k: without_credentials(str(v)) for k, v in params.items() if k not in run.params},
            [MetricPoint(k, v, 0, started_at) for k, v in numbers.items() if k not in run.metrics],
        )
        text = without_credentials(config_yaml)
        self._store.log_text(run.run_id, text, names.CONFIG_ARTIFACT)

    def _logged(self, run_id: str) -> frozenset[tuple[str, int]]:
        present = self._store.metric_names(run_id)
        history = (m for m in present if not m.startswith(names.HYPERPARAMETER_PREFIX))
        return self._store.logged(run_id, history)

    def _close(
        self,
        run_id: str,
        outcome: Outcome,
        reason: str,
        *,
        shown: Mapping[str, str],
        ended_at: float = 0.0,
    ) -> None:
        tags = {names.TAG_OUTCOME: str(outcome), **shown}
        if reason:
            tags[names.TAG_REASON] = without_credentials(reason)[:MAX_REASON_LENGTH]
        self._store.close(run_id, tags, STATUSES[outcome], ended_at=ended_at)


if TYPE_CHECKING:

    def _conforms(store: RunStore) -> Tracker:
        return RunTracker(store, {})
