"""A finished study on the real digits, made without Ray and MLflow, and data that comes later."""

from pathlib import Path
from typing import Any

import numpy as np

from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.data.sources.digits import Digits
from study.results import Outcome
from study.store.folder import StudyStore
from study.store.record import Record
from study.training.checkpoint import CheckpointFolder
from tests.helpers.small_trials import trained

NAME = "s"
NUM_BASE = 300
FIXED: dict[str, Any] = {
    "data.dataset": "arrays",
    "stream.num_megabatches": 2,
    "model.architecture": "mlp",
    "model.hidden_sizes": [12],
    "pruning.schedule": "open_ended",
    "pruning.half_life": 200,
    "pruning.criterion": "magnitude",
    "training.epochs": 2,
    "training.batch_size": 16,
    "training.lr": 0.05,
}


def digits_in_parts(folder: Path) -> list[str]:
    """Some digits as a first archive, and three that come later."""
    digits = Digits().load(None)
    parts = np.split(np.arange(480), [NUM_BASE, 350, 410])
    paths = []
    for number, part in enumerate(parts):
        path = folder / f"{number}.npz"
        np.savez(path, images=digits.train_images[part], labels=digits.train_labels[part])
        paths.append(str(path))
    return paths


def finish_study(store: Path, path: str, **overrides: Any) -> StudyConfig:
    """Two seeds on the archive at ``path``, trained here and now; None leaves a value out."""
    fixed = {**FIXED, "data.path": path, **overrides}
    study = parse_study(
        {
            "name": NAME,
            "fixed": {name: value for name, value in fixed.items() if value is not None},
            "axes": [{"seed": [0, 1]}],
        }
    )
    folder = StudyStore(store).folder(NAME)
    folder.write_config(study)
    with Record.open(folder.record_path) as record:
        record.begin_session(version="0", num_trials=2, shown=("service_error",))
        for chosen in study.points:
            trial = study.compose(chosen)
            key = trial.key()
            record.add_trial(key, source="point", chosen=chosen, config=trial.to_dict())
            learner = trained(trial)
            checkpoints = CheckpointFolder(folder.trial_path(key) / "checkpoints")
            checkpoints.save(learner.state_dict(), position=learner.position)
            record.add_history(key, learner.history)
            record.add_outcome(key, Outcome.COMPLETE)
        record.finish()
    return study
