"""What a tracker asks of a store of runs such as MLflow's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from study.results import ENDED_BY_THEMSELVES, Outcome
from study.tracking import names
from study.tracking.facts import DatasetInfo, ModelInfo
from study.tracking.metric_points import MetricPoint

# A run's status, in MLflow's words; how it ended in detail is a tag.
RUNNING: Final = "RUNNING"
FINISHED: Final = "FINISHED"
STATUSES: Final[Mapping[Outcome, str]] = {
    Outcome.COMPLETE: FINISHED,
    Outcome.EARLY_STOPPED: FINISHED,
    Outcome.ERROR: "FAILED",
    Outcome.INTERRUPTED: "KILLED",
}


@dataclass(frozen=True)
class StoredRun:
    """The run of a study or a trial.

    ``start_time`` is in milliseconds since 1970; of each metric there is the last value;
    ``experiment_id`` is empty where it is not known.
    """

    run_id: str
    status: str
    start_time: int
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    experiment_id: str = ""

    @property
    def is_running(self) -> bool:
        """Whether it is still open."""
        return self.status == RUNNING

    def is_of(self, study_id: str) -> bool:
        """Whether it was logged of the study with this id, and of no other of its name."""
        return self.tags.get(names.TAG_STUDY_ID, "") == study_id

    @property
    def outcome(self) -> Outcome | None:
        """How it ended, by its tag; None where it has not."""
        tag = self.tags.get(names.TAG_OUTCOME)
        return Outcome(tag) if tag in set(Outcome) else None


def one_run_per_trial(runs: Iterable[StoredRun]) -> dict[str, StoredRun]:
    """Trial key → the run that counts of those that the trial has.

    A complete one before one that was stopped early, this before all others, and of equals the
    newest. A run without a trial's key goes by its own id. Trials stay in the order given.
    """
    chosen: dict[str, StoredRun] = {}
    for run in runs:
        key = run.tags.get(names.TAG_TRIAL_KEY, run.run_id)
        if key not in chosen or _rank(run) >= _rank(chosen[key]):
            chosen[key] = run
    return chosen


def newest_ended(runs: Iterable[StoredRun]) -> StoredRun:
    """Of several runs the one that counts, by the same rule; there must be one."""
    return max(runs, key=_rank)


def _rank(run: StoredRun) -> tuple[bool, bool, int]:
    outcome = run.outcome
    return outcome is Outcome.COMPLETE, outcome in ENDED_BY_THEMSELVES, run.start_time


class RunStore(Protocol):
    """What is needed of a store of runs; each method is a step that may raise TrackingError."""

    @property
    def address(self) -> str:
        """Where it is, without credentials."""

    def find(self, tags: Mapping[str, str], status: str | None = None) -> list[StoredRun]:
        """Runs with all these tags, and in this status, oldest first.

        Raises:
            ValueError: A tag's text holds a quote or a backslash.
        """

    def create(self, title: str, tags: Mapping[str, str], *, started_at: float) -> StoredRun:
        """A new run that is running, since ``started_at`` (seconds since 1970; 0 for now)."""

    def remove(self, run_id: str) -> None:
        """Delete a run; the store may keep it where it can be restored from."""

    def reopen(self, run: StoredRun, tags: Mapping[str, str]) -> None:
        """Set a run's tags and set it running again."""

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags."""

    def remove_tag(self, run_id: str, tag: str) -> None:
        """Remove a tag."""

    def log_params(
        self, run_id: str, params: Mapping[str, object], metrics: Iterable[MetricPoint]
    ) -> None:
        """Log params and metrics that the run is missing."""

    def log_metrics(self, run_id: str, points: Iterable[MetricPoint]) -> None:
        """Log values of metrics that the run is missing."""

    def add_dataset(self, run_id: str, dataset: DatasetInfo) -> None:
        """Log what the trial is trained on, unless the run has it already."""

    def logged(self, run_id: str, metric_names: Iterable[str]) -> frozenset[tuple[str, int]]:
        """Which (metric, step) the run has."""

    def metric_names(self, run_id: str) -> frozenset[str]:
        """Which metrics the run has."""

    def log_text(self, run_id: str, text: str, artifact: str) -> None:
        """Write one text file, over an earlier one."""

    def log_folder(self, run_id: str, folder: Path) -> None:
        """Write the files of a folder, over earlier ones."""

    def log_model(self, run_id: str, model: ModelInfo, tags: Mapping[str, str]) -> None:
        """Log a model made by the run, unless the store has one with these tags already."""

    def fetch(self, run_id: str, artifact: str, folder: Path) -> Path | None:
        """Copy one file into ``folder``; its path there, or None where the run has none."""

    def save_view(self, key: str, view: str) -> None:
        """Keep a saved view of the runs, unless there is one with this key."""

    def close(self, run_id: str, tags: Mapping[str, str], status: str, *, ended_at: float) -> None:
        """Set tags, then the final status as of ``ended_at`` (seconds since 1970; 0 for now)."""
