"""The data of some trials, read once, and each trial checked against its own."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from study.config.problems import ConfigError, Problem
from study.config.trial import TrialConfig
from study.data.dataset import DataError, ImageDataset
from study.trial.checks import check_trial, problem_at
from study.trial.datasets import DatasetKey, dataset_key, load_dataset
from study.trial.notices import notices

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadData:
    """The data sets of some trials, each read once.

    Attributes:
        trials: By any name; equal ones need not be given twice.
        datasets: Every data set that is used, None where it could not be read.
        problems: Why it could not.
    """

    trials: Mapping[str, TrialConfig]
    datasets: Mapping[DatasetKey | None, ImageDataset | None]
    problems: tuple[Problem, ...]

    @classmethod
    def of(cls, trials: Mapping[str, TrialConfig]) -> "ReadData":
        """Read the data of these trials, each data set whether or not another is broken."""
        problems: list[Problem] = []
        read = _read_all(trials.values(), problems)
        return cls(trials, read, tuple(problems))

    def checked(self) -> dict[DatasetKey, ImageDataset]:
        """Every data set, each trial having been checked against its own.

        Settings that do less than they seem to are warned of in the log, each once.

        Raises:
            ConfigError: With every problem found, those of reading included.
        """
        problems = list(self.problems)
        found_notices: dict[str, None] = {}
        for trial in self.trials.values():
            dataset = self.datasets.get(_key(trial))
            if dataset is None:
                continue
            found = check_trial(trial, dataset)
            problems += found
            if not found:
                found_notices |= dict.fromkeys(notices(trial, dataset))
        if problems:
            raise ConfigError(problems)
        for notice in found_notices:
            logger.warning("%s", notice)
        return {key: dataset for key, dataset in self.datasets.items() if key and dataset}


def load_and_check(trials: Mapping[str, TrialConfig]) -> dict[DatasetKey, ImageDataset]:
    """Read the data sets of these trials and check each trial against its data.

    Raises:
        ConfigError: With every problem found.
    """
    return ReadData.of(trials).checked()


def _key(trial: TrialConfig) -> DatasetKey | None:
    """The trial's data set; None where it needs a folder and none is given."""
    try:
        return dataset_key(trial.data)
    except DataError:
        return None


def _read_all(
    trials: Iterable[TrialConfig], problems: list[Problem]
) -> dict[DatasetKey | None, ImageDataset | None]:
    """Every data set of these trials, None where it cannot be read; why joins ``problems``."""
    read: dict[DatasetKey | None, ImageDataset | None] = {None: None}
    for trial in trials:
        try:
            key = dataset_key(trial.data)
            if key not in read:
                read[key] = None
                read[key] = load_dataset(key)
        except DataError as error:
            problems.append(problem_at("data.dataset", error))
    return read
