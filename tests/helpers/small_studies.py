"""Small studies for the tests of study.tune: a search, its record, and what a trial reports."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.config.plugins import load_builtin_plugins
from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.results import EpochRecord, MegabatchRecord, TrialHistory
from study.session.session import StudySession
from study.store.record import Record, RecordedTrial
from study.tracking.facts import TrialInfo
from study.trial.datasets import dataset_key, load_dataset
from study.trial.description import TrialDescriber
from tests.helpers.trackers import RecordingTracker

load_builtin_plugins()

FIXED: dict[str, Any] = {
    "data.dataset": "synthetic",
    "data.num_examples": 120,
    "data.num_test_examples": 24,
    "data.image_size": 8,
    "data.num_channels": 1,
    "model.architecture": "mlp",
    "model.hidden_sizes": [12],
    "pruning.criterion": "magnitude",
    "training.total_samples": 600,
    "training.batch_size": 16,
}
SPACE: dict[str, Any] = {
    "pruning.schedule": ["app", "one_shot", "geometric"],
    "pruning.final_density": {"low": 0.1, "high": 1.0, "log": True},
    "pruning.rate": {"low": 0.05, "high": 0.5, "when": {"pruning.schedule": "geometric"}},
    "stream.num_megabatches": [2, 4],
}


def raw_search(**changes: Any) -> dict[str, Any]:
    """A search as a study file says it."""
    raw: dict[str, Any] = {
        "name": "small",
        "fixed": FIXED,
        "search": {"space": SPACE, "points": [], "seed": 0},
        "objective": {"metrics": ["service_error", "final_density"]},
        "budget": {"trials": 4},
        "resources": {"max_concurrent": 2},
    }
    return raw | changes


def search(
    *, space: Mapping[str, Any] | None = None, points: Any = (), trials: int = 4, **changes: Any
) -> StudyConfig:
    """A checked search."""
    section = {"space": dict(space or SPACE), "points": list(points), "seed": 0}
    return parse_study(raw_search(search=section, budget={"trials": trials}, **changes))


def two_choices(trials: int = 40) -> StudyConfig:
    """A search through a space of two configurations."""
    study = search(
        space={"stream.num_megabatches": [2, 4]},
        trials=trials,
        fixed=FIXED | {"pruning.schedule": "app", "pruning.final_density": 0.3},
    )
    assert len(study.space.dimensions) == 1
    return study


def history(
    num_megabatches: int = 2, *, of: int = 2, epochs_each: int = 2, error: float = 0.25
) -> TrialHistory:
    """What a trial has reported after ``num_megabatches`` of its ``of``."""
    epochs = tuple(
        EpochRecord(k, e, k * epochs_each + e, {"train_loss": 1.0 / (1 + k + e)})
        for k in range(num_megabatches)
        for e in range(epochs_each)
    )
    megabatches = tuple(
        MegabatchRecord(
            megabatch_index=k,
            stream_fraction=(k + 1) / of,
            kept_epoch_index=1,
            metrics={"density": 0.5, "projected_service_error": error},
            summary={"service_error": error, "final_density": 0.5} if k + 1 == of else {},
        )
        for k in range(num_megabatches)
    )
    return TrialHistory(epochs, megabatches)


class QuietDisplay:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.events: list[tuple[str, str]] = []

    def started(self, info: TrialInfo) -> None:
        self.events.append(("started", info.key))

    def progressed(self, info: TrialInfo, history: TrialHistory) -> None:  # noqa: ARG002  # the protocol's
        self.events.append(("progressed", info.key))

    def ended(self, info: TrialInfo, trial: RecordedTrial) -> None:  # noqa: ARG002  # the protocol's
        self.events.append(("ended", info.key))

    def notice(self, text: str) -> None:
        self.notices.append(text)


def session(study: StudyConfig, path: Path) -> StudySession:
    """A session of the study whose record is at ``path``, open to be written."""
    key = dataset_key(study.compose(study.points[0] if study.points else _corner(study)).data)
    describer = TrialDescriber(study, {key: load_dataset(key)})
    return StudySession(study, Record.open(path), RecordingTracker(), describer, QuietDisplay())


def _corner(study: StudyConfig) -> Mapping[str, Any]:
    return next(iter(study.space.ends(study.fixed)))
