"""Studies of trials that were never trained, for the driver to go on with."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from benchmarks.many_runs import BulkStore
from benchmarks.orchestration import EMPTY
from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.config.trial import TrialConfig
from study.results import TrialHistory
from study.store.folder import StudyFolder
from study.tracking.run_tracker import RunTracker
from study.trial.assembly import assemble
from study.trial.datasets import dataset_key, load_dataset
from study.trial.description import TrialDescriber
from study.trial.study_description import study_info


def study_of(num_trials: int, *, num_more: int) -> StudyConfig:
    """A search of two objectives over five values, of the smallest trials there are."""
    fixed = {k: v for k, v in EMPTY.items() if k not in ("pruning.schedule", "training.lr")}
    return parse_study(
        {
            "name": "many",
            "fixed": fixed | {"stream.num_megabatches": 2, "training.total_samples": 1000},
            "search": {
                "space": {
                    "pruning.final_density": {"low": 0.02, "high": 1.0, "log": True},
                    "pruning.schedule": ["app", "one_shot", "cubic"],
                    "training.lr": {"low": 0.001, "high": 1.0, "log": True},
                    "training.momentum": {"low": 0.0, "high": 0.99},
                    "training.weight_decay": {"low": 1e-6, "high": 1e-2, "log": True},
                }
            },
            "objective": {"metrics": ["service_error", "final_density"]},
            "budget": {"trials": num_trials + num_more},
        }
    )


class MadeUpTrials:
    """Trials of a study with the results of one that was trained, made worse or better."""

    def __init__(self, study: StudyConfig) -> None:
        self.study = study
        self.trial = study.compose(self._chosen(random.Random(0)))
        key = dataset_key(self.trial.data)
        self.datasets = {key: load_dataset(key)}
        learner = assemble(self.trial, self.datasets[key])
        for _ in learner.run():
            pass
        self._history = learner.history

    def _chosen(self, rng: random.Random) -> dict[str, Any]:
        return {
            "pruning.final_density": 0.02 ** rng.random(),
            "pruning.schedule": rng.choice(["app", "one_shot", "cubic"]),
            "training.lr": 0.001 ** rng.random(),
            "training.momentum": 0.99 * rng.random(),
            "training.weight_decay": 1e-6 * 1e4 ** rng.random(),
        }

    def history(self, rng: random.Random, density: float) -> TrialHistory:
        """With another error and this density at its end."""
        changed = {"service_error": rng.random(), "final_density": density}
        last = self._history.megabatches[-1]
        last = replace(last, summary={**last.summary, **changed})
        return TrialHistory(self._history.epochs, (*self._history.megabatches[:-1], last))

    def write(self, folder: StudyFolder, num_trials: int) -> None:
        """The record of so many ended trials, and their runs in MLflow beside it."""
        rng = random.Random(num_trials)
        store = BulkStore(folder.path / "mlflow.db")
        tracker = RunTracker(store, {})
        tracker.start_study(study_info(self.study, num_trials=num_trials))
        info = TrialDescriber(self.study, self.datasets).describe(self.trial, number=0)
        with folder.record_path.open("w", encoding="utf-8") as file:
            for number in range(num_trials):
                chosen = self._chosen(rng)
                trial = self.study.compose(chosen)
                key = trial.key()
                history = self.history(rng, chosen["pruning.final_density"])
                for event in self._events(trial, number, chosen, history):
                    file.write(json.dumps({**event, "time": 1e9 + number}) + "\n")
                tracker.start_trial(replace(info, key=key, number=number))
                tracker.log_history(key, history)
        store.insert()

    @staticmethod
    def _events(
        trial: TrialConfig, number: int, chosen: dict[str, Any], history: TrialHistory
    ) -> Iterator[dict[str, Any]]:
        key = trial.key()
        yield {
            "event": "trial",
            "key": key,
            "number": number,
            "source": "search",
            "proposed_by": "tpe",
            "chosen": chosen,
            "config": trial.to_dict(),
        }
        yield {"event": "history", "key": key, "history": history.to_dict()}
        yield {"event": "outcome", "key": key, "outcome": "complete", "reason": ""}
