"""MLflow's runs as a store of runs: what a tracker asks for, through MLflow's client.

Infinite metric values are NaN in MLflow and themselves in the Parquet histories.
"""

import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag

from study.tracking import names
from study.tracking.facts import DatasetInfo, ModelInfo
from study.tracking.metric_points import MetricPoint
from study.tracking.mlflow.experiment import MlflowExperiment, mlflow_errors_translated
from study.tracking.mlflow.logged_models import find_model, log_model
from study.tracking.mlflow.saved_view import VIEW_TAG_PREFIX
from study.tracking.run_store import RUNNING, StoredRun

# MLflow's limits, in entries of a request and in characters.
MAX_METRICS_PER_REQUEST: Final = 1000
MAX_PARAM_LENGTH: Final = 6000
MAX_TAG_LENGTH: Final = 8000
MAX_TITLE_LENGTH: Final = 250

_PAGE_SIZE: Final = 1000
_UNQUOTABLE: Final = frozenset("'\"`\\")


class MlflowStore(MlflowExperiment):
    """The runs of one MLflow experiment.

    Raises:
        TrackingError: See :class:`MlflowExperiment`; by any method, the store fails.
    """

    @mlflow_errors_translated
    def find(self, tags: Mapping[str, str], status: str | None = None) -> list[StoredRun]:
        """Runs with all these tags, and in this status, oldest first."""
        query = " AND ".join(f"tags.`{tag}` = '{_quotable(text)}'" for tag, text in tags.items())
        if status is not None:
            query += f" AND attributes.status = '{status}'"
        # Some databases compare text without regard to case.
        return [_stored(r) for r in self._search(query) if tags.items() <= r.data.tags.items()]

    @mlflow_errors_translated
    def create(self, title: str, tags: Mapping[str, str], *, started_at: float) -> StoredRun:
        """A new run that is running, since ``started_at`` (seconds since 1970; 0 for now).

        Raises:
            ValueError: Its study or its trial's key holds what no search could be made with.
        """
        for tag in (names.TAG_STUDY, names.TAG_TRIAL_KEY):
            _quotable(tags.get(tag, tag))
        run = self._client.create_run(
            self._experiment_id,
            start_time=_milliseconds(started_at),
            tags={tag: text[:MAX_TAG_LENGTH] for tag, text in tags.items()},
            run_name=title[:MAX_TITLE_LENGTH],
        )
        return _stored(run)

    @mlflow_errors_translated
    def reopen(self, run: StoredRun, tags: Mapping[str, str]) -> None:
        """Set a run's tags and set it running again."""
        self.set_tags(run.run_id, tags)
        if not run.is_running:
            self._client.update_run(run.run_id, status=RUNNING)

    @mlflow_errors_translated
    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags, shortened to MLflow's length."""
        run_tags = [RunTag(tag, text[:MAX_TAG_LENGTH]) for tag, text in tags.items()]
        self._client.log_batch(run_id, tags=run_tags, synchronous=True)

    @mlflow_errors_translated
    def remove_tag(self, run_id: str, tag: str) -> None:
        """Remove a tag."""
        self._client.delete_tag(run_id, tag)

    @mlflow_errors_translated
    def log_params(
        self, run_id: str, params: Mapping[str, object], metrics: Iterable[MetricPoint]
    ) -> None:
        """Params, shortened to MLflow's length, and metrics that the run is missing."""
        texts = [Param(key, str(value)[:MAX_PARAM_LENGTH]) for key, value in params.items()]
        self._client.log_batch(run_id, _metrics(metrics), texts, synchronous=True)

    @mlflow_errors_translated
    def log_metrics(self, run_id: str, points: Iterable[MetricPoint]) -> None:
        """Values of metrics that the run is missing, each request whole or not at all."""
        metrics = _metrics(points)
        for start in range(0, len(metrics), MAX_METRICS_PER_REQUEST):
            request = metrics[start : start + MAX_METRICS_PER_REQUEST]
            self._client.log_batch(run_id, request, synchronous=True)

    @mlflow_errors_translated
    def add_dataset(self, run_id: str, dataset: DatasetInfo) -> None:
        """As an input of the run, for training; MLflow keeps it once for all runs."""
        entity = Dataset(
            name=dataset.name,
            digest=dataset.digest,
            source_type="app-study",
            source=json.dumps(dataset.settings, default=list),
            profile=json.dumps(dataset.profile, default=list),
        )
        context = InputTag(key="mlflow.data.context", value="training")
        self._client.log_inputs(run_id, [DatasetInput(entity, tags=[context])])

    @mlflow_errors_translated
    def metric_names(self, run_id: str) -> frozenset[str]:
        """Which metrics the run has."""
        return frozenset(self._client.get_run(run_id).data.metrics)

    @mlflow_errors_translated
    def logged(self, run_id: str, metric_names: Iterable[str]) -> frozenset[tuple[str, int]]:
        """Which (metric, step) the run has, of these metrics."""
        return frozenset(
            (point.key, point.step)
            for name in metric_names
            for point in self._client.get_metric_history(run_id, name)
        )

    @mlflow_errors_translated
    def points(self, run_id: str) -> list[MetricPoint]:
        """Every value that a run has of every metric, as often as it has it."""
        return [
            MetricPoint(name, point.value, point.step)
            for name in self._client.get_run(run_id).data.metrics
            for point in self._client.get_metric_history(run_id, name)
        ]

    @mlflow_errors_translated
    def remove(self, run_id: str) -> None:
        """Mark a run as deleted, which can be undone until ``mlflow gc``."""
        self._client.delete_run(run_id)

    @mlflow_errors_translated
    def log_text(self, run_id: str, text: str, artifact: str) -> None:
        """Write one text file, over an earlier one."""
        self._client.log_text(run_id, text, artifact)

    @mlflow_errors_translated
    def log_folder(self, run_id: str, folder: Path) -> None:
        """Write the files of a folder, over earlier ones."""
        self._client.log_artifacts(run_id, str(folder))

    @mlflow_errors_translated
    def fetch(self, run_id: str, artifact: str, folder: Path) -> Path | None:
        """Copy one file into ``folder``; its path there, or None where the run has none."""
        beside = self._client.list_artifacts(run_id, artifact.rpartition("/")[0] or None)
        if artifact not in {file.path for file in beside}:
            return None
        return Path(self._client.download_artifacts(run_id, artifact, str(folder)))

    @mlflow_errors_translated
    def log_model(self, run_id: str, model: ModelInfo, tags: Mapping[str, str]) -> None:
        """Log a model made by the run, unless the store has one with these tags already."""
        if find_model(self._client, self._experiment_id, tags) is None:
            log_model(self._client, self._experiment_id, model, run_id=run_id, tags=tags)

    @mlflow_errors_translated
    def save_view(self, key: str, view: str) -> None:
        """Keep a saved view of the experiment's runs, unless there is one with this key."""
        tag = VIEW_TAG_PREFIX + key
        if tag not in self._client.get_experiment(self._experiment_id).tags:
            self._client.set_experiment_tag(self._experiment_id, tag, view)

    @mlflow_errors_translated
    def close(self, run_id: str, tags: Mapping[str, str], status: str, *, ended_at: float) -> None:
        """Set tags, then the final status as of ``ended_at`` (seconds since 1970; 0 for now)."""
        self.set_tags(run_id, tags)
        self._client.set_terminated(run_id, status=status, end_time=_milliseconds(ended_at))

    def _search(self, query: str) -> Iterator[Run]:
        token: str | None = None
        while True:
            page = self._client.search_runs(
                [self._experiment_id],
                query,
                max_results=_PAGE_SIZE,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            yield from page
            token = page.token
            if not token:
                return


def _quotable(text: str) -> str:
    if not text or _UNQUOTABLE & set(text) or not text.isprintable():
        raise ValueError(
            f"{text!r} cannot name a study or a trial in MLflow: it must not be empty nor hold "
            "quotes, backslashes or control characters; choose another name"
        )
    return text


def _metrics(points: Iterable[MetricPoint]) -> list[Metric]:
    return [Metric(p.name, _drawable(p.value), _milliseconds(p.time), p.step) for p in points]


def _milliseconds(seconds: float) -> int:
    """MLflow's time; now for 0."""
    return round((seconds or time.time()) * 1000)


def _drawable(value: float) -> float:
    # MLflow's databases turn infinity into 1.8e308, which no axis survives.
    return math.nan if math.isinf(value) else value


def _stored(run: Run) -> StoredRun:
    return StoredRun(
        run_id=run.info.run_id,
        status=run.info.status,
        tags=run.data.tags,
        start_time=run.info.start_time or 0,
        params=run.data.params,
        metrics=run.data.metrics,
        experiment_id=run.info.experiment_id,
    )
