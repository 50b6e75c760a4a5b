"""What an update needs: the trial that is updated, and data checked against it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from study.config.problems import ConfigError
from study.config.study_sections import ObjectiveSection
from study.config.trial import TrialConfig
from study.data.dataset import Arrival
from study.data.sources.arrivals import read_arrival
from study.errors import StudyError
from study.operations.opened_study import OpenedStudy
from study.results import Outcome
from study.search.selection import BEST, PARETO, choose
from study.store.record import Record, RecordedTrial
from study.trial.assembly import known_density
from study.trial.checks import check_trial
from study.trial.datasets import dataset_key


@dataclass(frozen=True)
class Update:
    """A trial and the data that it is updated with, now or before.

    Attributes:
        before: The trial that is updated.
        trial: The updated one.
        arrivals: The new data, by where it is kept.
    """

    before: RecordedTrial
    trial: TrialConfig
    arrivals: tuple[tuple[Path, Arrival], ...]

    @property
    def schedule_note(self) -> str:
        """A notice where the trial is not pruned further, which may surprise."""
        pruning = self.trial.pruning
        is_dense = known_density(self.trial) == 1.0
        if is_dense or pruning.reference_compat or pruning.plugin("schedule").goes_on:
            return ""
        at, num_megabatches = self.trial.training.at, self.trial.stream.num_megabatches
        if not isinstance(at, str) and at[-1] + 1 < num_megabatches:
            return ""  # the last ones of the stream wait, so that there is an event to come
        return (
            f"Its pruning schedule {pruning.schedule} has reached its end at T = "
            f"{self.trial.stream.num_megabatches}: it trains on without pruning further."
        )


def plan_update(opened: OpenedStudy, which: str, paths: Sequence[Path]) -> Update:
    """Read the new data and check it against the trial; nothing is written.

    Args:
        opened: The study.
        which: ``best``, a trial's number or its key. Of the best of the search the newest update
            is taken.
        paths: What has arrived, in order: one further megabatch each.

    Raises:
        StudyError: There is no such trial, or it is not complete.
        StudyError: The trial was trained on some of the data before.
        ConfigError: The trial does not fit the data.
        DataError: The data is missing, broken, or not of the study's kind.
    """
    before = _chosen(opened.record, which, opened.study.objective)
    old = opened.trial(before)
    key, dataset = dataset_key(old.data), opened.dataset(old)
    arrivals = [read_arrival(path, key.source, dataset, root=key.root) for path in paths]
    names = [f"{arrival.digest()}.npz" for arrival in arrivals]
    if names == list(old.data.arrival_names[-len(names) :]):  # the same command, once more
        return Update(before, old, ())
    _check_new(names, old.data.arrival_names, paths, before)
    files = [opened.folder.arrivals_path / name for name in names]
    trial = old.with_arrivals([str(path) for path in (*key.arrival_paths, *files)])
    whole = dataset.with_arrivals(arrivals)
    problems = check_trial(trial, whole)
    if problems:
        raise ConfigError(problems)
    opened.add_dataset(trial, whole)
    return Update(before, trial, tuple(zip(files, arrivals, strict=True)))


def _chosen(record: Record, which: str, objective: ObjectiveSection) -> RecordedTrial:
    if which == PARETO:
        raise StudyError("one trial is updated; name it by its number, or take --trial best")
    (trial,) = choose(record, which, objective)
    while which == BEST:
        later = [
            update
            for update in record.updates.values()
            if update.updated_from == trial.key and update.outcome is Outcome.COMPLETE
        ]
        if not later:
            break
        trial = later[-1]
    return trial


def _check_new(
    names: Sequence[str], known: Sequence[str], paths: Sequence[Path], before: RecordedTrial
) -> None:
    for index, (name, path) in enumerate(zip(names, paths, strict=True)):
        if name in known:
            raise StudyError(
                f"{path}: trial {before.number} was trained on this data before, as arrival "
                f"{known.index(name) + 1} of {len(known)}; omit it"
            )
        if name in names[:index]:
            raise StudyError(f"{path}: is given twice, or holds the same data as another; omit it")
