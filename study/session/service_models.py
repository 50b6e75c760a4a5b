"""Models of a running study: workers write them to their folders, the driver logs them."""

import dataclasses
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from study.config.study_config import StudyConfig
from study.config.study_sections import LogModels
from study.data.dataset import ImageDataset
from study.export.card import ModelCard, ModelSource
from study.export.folder import read_trained_mask, write_card, write_weights
from study.export.registration import model_info
from study.export.smallest import with_removed
from study.export.trial_model import model_source
from study.results import MegabatchRecord
from study.store.record import RecordedTrial
from study.tracking.facts import ModelInfo
from study.training.anytime import AnytimeLearner
from study.trial.datasets import dataset_key

MODELS_FOLDER = "models"


def keep_model(learner: AnytimeLearner, trial_folder: Path, mode: LogModels) -> None:
    """Write the model that has just gone into service, if it is one of those to be logged.

    Args:
        learner: At the end of a megabatch.
        trial_folder: Where the trial writes what is its own.
        mode: ``best`` is the lowest error rate on the holdout (on validation where there is
            none) so far, the latest of equals; an earlier best one is removed.
    """
    newest = learner.history.megabatches[-1].megabatch_index
    wanted = _wanted(mode, learner.history.megabatches)
    if all(record.megabatch_index != newest for record in wanted):
        return
    folder = trial_folder / MODELS_FOLDER
    name = _name(newest)
    write_weights(learner.model, learner.mask, folder / name)
    if mode == "best":
        for earlier in folder.iterdir():
            if earlier.name != name:
                shutil.rmtree(earlier)


def _name(megabatch_index: int) -> str:
    return f"{megabatch_index:04d}"


def best_megabatch(megabatches: Sequence[MegabatchRecord]) -> int:
    """Index of the megabatch whose model has the lowest error rate, the latest of equals."""

    def error(record: MegabatchRecord) -> float:
        known = record.metrics
        return known.get("holdout_error_rate", known.get("validation_error_rate", 0.0))

    trained = [record for record in megabatches if record.is_trained]
    return min(reversed(trained), key=error).megabatch_index


def _wanted(mode: LogModels, megabatches: Sequence[MegabatchRecord]) -> list[MegabatchRecord]:
    """The megabatches whose model is logged."""
    if mode == "final":
        return [record for record in megabatches if record.is_last]
    if mode == "none" or not any(record.is_trained for record in megabatches):
        return []
    if mode == "best":
        best = best_megabatch(megabatches)
        return [record for record in megabatches if record.megabatch_index == best]
    return [record for record in megabatches if record.is_trained]


def _nothing_to_fetch(key: str) -> None:
    """For studies in a folder that all share."""


@dataclass
class ServiceModels:
    """The models that the driver finds in the trials' folders.

    Attributes:
        path: Folder of the trials' folders.
        fetch: Has a trial's folder, by its key, brought here if it lies elsewhere.
        logged: (trial key, megabatch) of those that were returned before.
    """

    study: StudyConfig
    path: Path
    datasets: Mapping[Any, ImageDataset]
    fetch: Callable[[str], None] = _nothing_to_fetch
    logged: set[tuple[str, int]] = field(default_factory=set)
    _sources: dict[str, ModelSource] = field(default_factory=dict)

    def new_models(self, trial: RecordedTrial) -> list[ModelInfo]:
        """Models of megabatches that were reported, each once, with their cards written.

        While a trial runs its ``best`` model may be replaced, so that it waits for the end.
        """
        mode, megabatches = self.study.tracking.log_models, trial.history.megabatches
        if mode == "none" or not megabatches or (mode == "best" and trial.outcome is None):
            return []
        wanted = [
            (record, self.path / trial.key / MODELS_FOLDER / _name(record.megabatch_index))
            for record in _wanted(mode, megabatches)
            if (trial.key, record.megabatch_index) not in self.logged
        ]
        if not all(folder.is_dir() for _, folder in wanted):
            self.fetch(trial.key)
        found = []
        for record, folder in wanted:
            if folder.is_dir():
                source = self._source(trial)
                network = with_removed(source.network, read_trained_mask(folder))
                source = dataclasses.replace(source, network=network)
                card = ModelCard.from_record(source, record, format_name="safetensors")
                write_card(card, folder)
                self.logged.add((trial.key, record.megabatch_index))
                found.append(model_info(card, folder))
        if trial.outcome is not None:
            self._sources.pop(trial.key, None)  # its network is needed no more
        return found

    def _source(self, trial: RecordedTrial) -> ModelSource:
        if trial.key not in self._sources:
            config = self.study.recorded(trial.config)
            self._sources[trial.key] = model_source(
                config,
                self.datasets[dataset_key(config.data)],
                study=self.study,
                number=trial.number,
            )
        return self._sources[trial.key]
