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

    def find_study(self, name: str) -> StoredRun | None:
        """The parent run of this name."""
        return self._first({names.TAG_KIND: names.KIND_STUDY, names.TAG_STUDY: name})

    def find_trial(self, study: str, trial_key: str) -> StoredRun | None:
        """The study's run of this trial."""
        return self._first({**_trials_of(study), names.TAG_TRIAL_KEY: trial_key})

    def trials(self, study: str, status: str | None = None) -> list[StoredRun]:
        """The runs of the study's trials, oldest first."""
        return self._store.find(_trials_of(study), status)

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

    def _first(self, tags: Mapping[str, str]) -> StoredRun | None:
        return next(iter(self._store.find(tags)), None)

    def _shared_tags(self, study: StudyInfo) -> dict[str, str]:
        return {
            **_SOURCE_TAGS,
            **self._extra_tags,
            names.TAG_STUDY: study.name,
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


def _trials_of(study: str) -> dict[str, str]:
    return {names.TAG_KIND: names.KIND_TRIAL, names.TAG_STUDY: study}
