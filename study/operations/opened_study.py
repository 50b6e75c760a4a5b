"""A launched study, read from its folder: its trials and their models."""

from dataclasses import dataclass, field
from pathlib import Path

from study.config.loading import load_study
from study.config.study_config import StudyConfig
from study.config.trial import TrialConfig, parse_trial
from study.data.dataset import ImageDataset
from study.export.trial_model import TrialModel, final_model, model_source
from study.store.folder import DEFAULT_STORE, StudyFolder, StudyStore
from study.store.record import Record, RecordedTrial
from study.trial.datasets import DatasetKey, dataset_key
from study.trial.read_data import load_and_check


@dataclass(frozen=True)
class OpenedStudy:
    """A study, its record, and the data that was read for it so far."""

    study: StudyConfig
    folder: StudyFolder
    record: Record
    data_root: Path | None = None
    _datasets: dict[DatasetKey, ImageDataset] = field(default_factory=dict)

    @classmethod
    def open(cls, name: str, store: Path | str | None, data_root: Path | None) -> "OpenedStudy":
        """The study called ``name``, its plug-ins imported.

        Args:
            name: As it was launched.
            store: Path or URL of the folder of all studies; else the default.
            data_root: Where the data lies now, if not where it lay.

        Raises:
            StudyError: There is none.
            ConfigError: It cannot be read.
        """
        folder = StudyStore(store or DEFAULT_STORE).existing(name)
        study = load_study(folder.config_path)
        return cls(study, folder, Record.read(folder.record_path), data_root)

    def trial(self, recorded: RecordedTrial) -> TrialConfig:
        """The configuration of a trial, with its data where it lies now."""
        raw = dict(recorded.config)
        if self.data_root is not None:
            raw["data"] = {**raw["data"], "root": str(self.data_root.absolute())}
        return parse_trial(raw)

    def dataset(self, trial: TrialConfig) -> ImageDataset:
        """The data of a trial, read once.

        Raises:
            ConfigError: It is missing, or the trial does not fit it.
        """
        key = dataset_key(trial.data)
        if key not in self._datasets:
            self._datasets.update(load_and_check({trial.key(): trial}))
        return self._datasets[key]

    def add_dataset(self, trial: TrialConfig, dataset: ImageDataset) -> None:
        """Have a trial's data, checked, without reading it."""
        self._datasets[dataset_key(trial.data)] = dataset

    def final_model(self, recorded: RecordedTrial) -> TrialModel:
        """The model at the end of a complete trial.

        Raises:
            ExportError: Its checkpoint is gone.
            StorageError: The store cannot be read.
        """
        trial = self.trial(recorded)
        dataset = self.dataset(trial)
        source = model_source(
            trial,
            dataset,
            study=self.study,
            number=recorded.number,
        )
        last = recorded.history.megabatches[-1]
        self.folder.fetch_trial(recorded.key, "checkpoints")
        return final_model(source, last, dataset, self.folder.trial_path(recorded.key))
