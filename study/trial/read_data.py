"""The data of some trials, read once, and each trial checked against its own."""

import logging
from collections.abc import Iterable, Mapping

from study.config.problems import ConfigError, Problem
from study.config.trial import TrialConfig
from study.data.dataset import DataError, ImageDataset
from study.trial.checks import check_trial, problem_at
from study.trial.datasets import DatasetKey, dataset_key, load_dataset
from study.trial.notices import notices

logger = logging.getLogger(__name__)


def load_and_check(trials: Mapping[str, TrialConfig]) -> dict[DatasetKey, ImageDataset]:
    """Read the data sets of these trials and check each trial against its data.

    Each data set is read once, all of them whether or not another is broken.

    Settings that do less than they seem to are warned of in the log, each once.

    Args:
        trials: By any name; equal ones need not be given twice.

    Returns:
        Every data set that is used.

    Raises:
        ConfigError: With every problem found.
    """
    problems: list[Problem] = []
    read = _read_all(trials.values(), problems)
    found_notices: dict[str, None] = {}
    for trial in trials.values():
        dataset = read.get(_key(trial))
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
    return {key: dataset for key, dataset in read.items() if key and dataset}


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
