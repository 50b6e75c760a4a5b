"""The runs of a study in a store: found by their tags, opened, completed and closed.

Every text that is written is freed of credentials.
"""

from collections.abc import Mapping
from typing import Final

from study import __version__
from study.credentials import without_credentials
from study.results import Outcome
from study.tracking import names
from study.tracking.facts import StudyInfo, TrialInfo
from study.tracking.metric_points import MetricPoint
from study.tracking.run_store import STATUSES, RunStore, StoredRun
from study.tracking.tracker import TrackingError

# MLflow's own tags.
_PARENT_TAG: Final = "mlflow.parentRunId"
_SOURCE_TAGS: Final = {
    "mlflow.source.name": f"app-study {__version__}",
    "mlflow.source.type": "LOCAL",
}
_MAX_REASON_LENGTH: Final = 500


class RunWriter:
    """Writes all of a run but its history.

    Args:
        store: Where the runs are.
        extra_tags: Put on every run; the study's own go before them.
    """

    def __init__(self, store: RunStore, extra_tags: Mapping[str, str]) -> None:
        self._store = store
        self._extra_tags = dict(extra_tags)

    def has_study(self, name: str) -> bool:
        """Whether there is a parent run of this name."""
        return bool(self._store.find(_parents_of(name)))

    def find_study(self, study: StudyInfo) -> StoredRun | None:
        """The study's parent run; None where none has its name.

        Raises:
            TrackingError: Another study has its name.
        """
        found = self._store.find(_parents_of(study.name))
        own = [run for run in found if run.is_of(study.study_id)]
        if found and not own:
            raise TrackingError(
                f"{self._store.address} has another study called {study.name!r}, with whose runs "
                f"this one's would be mixed; give another store with --tracking-uri, or launch "
                f"this one under another name"
            )
        return own[0] if own else None

    def find_trial(self, study: StudyInfo, trial_key: str) -> StoredRun | None:
        """The study's run of this trial."""
        tags = {**_trials_of(study.name), names.TAG_TRIAL_KEY: trial_key}
        return next((run for run in self._store.find(tags) if run.is_of(study.study_id)), None)

    def trials(self, study: StudyInfo, status: str | None = None) -> list[StoredRun]:
        """The runs of the study's trials, oldest first."""
        found = self._store.find(_trials_of(study.name), status)
        return [run for run in found if run.is_of(study.study_id)]

    def open_study(self, study: StudyInfo, found: StoredRun | None) -> StoredRun:
        """A new parent run, or ``found``, running and with all that is known of the study."""
        tags = {
            **self._shared_tags(study),
            names.TAG_KIND: names.KIND_STUDY,
            names.TAG_FINGERPRINT: study.fingerprint,
            names.TAG_DESCRIPTION: study.description,
            **({names.TAG_CONFIRMS: study.confirms} if study.confirms else {}),
        }
        run = self._open(found, study.name, tags)
        self._complete(run, study.params, {}, study.config_yaml)
        return run

    def open_trial(
        self, trial: TrialInfo, found: StoredRun | None, *, study: StudyInfo, parent_id: str
    ) -> StoredRun:
        """A new run, or ``found``, running and with all that is known of the trial."""
        tags = {
            **self._shared_tags(study),
            **trial.tags,
            **_trials_of(study.name),
            names.TAG_TRIAL_KEY: trial.key,
            names.TAG_TRIAL_NUMBER: str(trial.number),
            _PARENT_TAG: parent_id,
        }
        at = trial.started_at
        run = self._open(found, trial.title, tags, started_at=at)
        self._complete(run, trial.params, trial.hyperparameters, trial.config_yaml, started_at=at)
        if trial.dataset is not None:
            self._store.add_dataset(run.run_id, trial.dataset)
        return run

    def set_tag(self, run_id: str, tag: str, text: str) -> None:
        """Set a tag of a run, over an earlier one."""
        self._store.set_tags(run_id, {tag: without_credentials(text)})

    def close(
        self,
        run_id: str,
        outcome: Outcome,
        reason: str,
        *,
        tags: Mapping[str, str],
        ended_at: float,
    ) -> None:
        """Set how a run ended and these ``tags``, in one request, then its status."""
        clean = {tag: without_credentials(text) for tag, text in tags.items()}
        clean[names.TAG_OUTCOME] = str(outcome)
        if reason:
            clean[names.TAG_REASON] = without_credentials(reason)[:_MAX_REASON_LENGTH]
        self._store.close(run_id, clean, STATUSES[outcome], ended_at=ended_at)

    def _shared_tags(self, study: StudyInfo) -> dict[str, str]:
        return {
            **_SOURCE_TAGS,
            **self._extra_tags,
            names.TAG_STUDY: study.name,
            **({names.TAG_STUDY_ID: study.study_id} if study.study_id else {}),
            names.TAG_SCHEMA: names.SCHEMA_VERSION,
            names.TAG_VERSION: __version__,
            names.TAG_OBJECTIVES: ",".join(study.objectives),
        }

    def _open(
        self,
        found: StoredRun | None,
        title: str,
        tags: Mapping[str, str],
        *,
        started_at: float = 0.0,
    ) -> StoredRun:
        clean = {tag: without_credentials(text) for tag, text in tags.items()}
        clean[names.TAG_OUTCOME] = names.OUTCOME_RUNNING
        if found is None:
            return self._store.create(without_credentials(title), clean, started_at=started_at)
        if names.TAG_REASON in found.tags:
            self._store.remove_tag(found.run_id, names.TAG_REASON)
        self._store.reopen(found, clean)
        return found

    def _complete(
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


def _parents_of(study: str) -> dict[str, str]:
    return {names.TAG_KIND: names.KIND_STUDY, names.TAG_STUDY: study}


def _trials_of(study: str) -> dict[str, str]:
    return {names.TAG_KIND: names.KIND_TRIAL, names.TAG_STUDY: study}
