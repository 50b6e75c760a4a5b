"""Which trials of a study are confirmed, and with which seeds."""

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from study.candidates import nominated, spread
from study.config.problems import ConfigError, Problem
from study.config.study_config import StudyConfig
from study.config.trial import parse_trial
from study.errors import StudyError, UserError
from study.metrics import METRICS
from study.operations.confirm_arms import DENSE, SEEDS, identity
from study.operations.confirm_candidates import compared_with_dense, nearest
from study.search.ranking import best_first
from study.search.selection import eligible, front, named
from study.store.folder import StudyFolder, StudyStore
from study.store.record import Record, RecordedTrial


class ConfirmationError(StudyError):
    """A study cannot be confirmed."""


@dataclass(frozen=True)
class ConfirmOptions:
    """What is to be confirmed.

    Attributes:
        top: At most so many of the best configurations.
        trials: Numbers or keys of trials to confirm instead.
        num_seeds: Fresh seeds of each arm, at least two; with looks, those of the first.
        vary_data: Whether the data is split afresh with each seed, too.
        baselines: What each is run beside.
        looks: Numbers of seeds after which it is looked whether all is decided, rising; empty
            where the number is fixed.
    """

    top: int = 3
    trials: tuple[str, ...] = ()
    num_seeds: int = 8
    vary_data: bool = False
    baselines: tuple[str, ...] = ("dense", "one_shot")
    looks: tuple[int, ...] = ()

    @property
    def most_trials(self) -> int:
        """How many trials it takes at most, if every configuration has baselines of its own."""
        num_arms = self.top * (1 + sum(name != DENSE for name in self.baselines)) + 1
        return num_arms * (self.looks[-1] if self.looks else self.num_seeds)


def choose_trials(
    record: Record, study: StudyConfig, options: ConfirmOptions
) -> list[RecordedTrial]:
    """The trials to be run again, each of another configuration, at most ``options.top``.

    First of all what the report's answer names. Where a density, a speed-up or a size is an
    objective and dense was among the trials: of the front at the T at which dense serves best what
    looks as good as dense, the smallest (or fastest), the largest and what lies between; where
    nothing does, the network that is nearest to it. Else the best by the objective or, of several,
    trials spread along the front; pruned ones, if there are any.

    Raises:
        ConfirmationError: There are none.
        StudyError: No such trial is there.
    """
    objective = study.objective
    if options.trials:
        return distinct(_of_search(record, which) for which in options.trials)
    groups = compared_with_dense(record, study)
    good = nominated(groups.values(), objective.margin)
    by_number = {trial.number: trial for trial in record.trials.values()}
    if groups and any(METRICS[name].is_of_pruning for name in objective.metrics):
        candidates = spread(good, options.top) if good else [nearest(groups)]
        return distinct(by_number[one.number] for one in candidates[::-1])
    smallest = [by_number[one.number] for one in good[-1:]]
    return distinct(_best(record, study, options.top, smallest))[: options.top]


def _best(
    record: Record, study: StudyConfig, top: int, named: list[RecordedTrial]
) -> list[RecordedTrial]:
    """The best by the objective, or spread along the front, and what is ``named`` beside them."""
    objective = study.objective
    candidates = eligible(record, objective)
    has_front = len(objective.metrics) > 1
    ranked = best_first(
        front(candidates, objective.metrics) if has_front else candidates,
        lambda trial: trial.final_values,
        objective.metrics[0],
    )
    # Dense is run in any case, as a baseline.
    pruned = [trial for trial in ranked if trial.config["pruning"]["schedule"] != DENSE]
    configurations = distinct(pruned or ranked)
    if not configurations:
        limits = " that keeps its constraints" if objective.limits else ""
        raise ConfirmationError(
            f"the study {study.name!r} has no complete trial{limits} with a value of "
            f"{' and '.join(objective.metrics)}: there is nothing to confirm yet"
        )
    if has_front:
        return [*named, *evenly(configurations, min(top, len(configurations)))]
    return [configurations[0], *named, *configurations[1:]]


def _of_search(record: Record, which: str) -> RecordedTrial:
    trial = named(record, which)
    if trial.key in record.updates:
        raise StudyError(
            f"trial {trial.number} is an update of another with later data; confirm one of the "
            f"study's own trials"
        )
    return trial


def distinct(trials: Iterable[RecordedTrial]) -> list[RecordedTrial]:
    """The first trial of each configuration."""
    found: dict[str, RecordedTrial] = {}
    for trial in trials:
        found.setdefault(identity(parse_trial(trial.config)), trial)
    return list(found.values())


def evenly(ordered: list[RecordedTrial], num: int) -> list[RecordedTrial]:
    """``num`` of them, evenly spread from the first to the last; the first alone for one."""
    last = len(ordered) - 1
    return [ordered[round(i * last / max(num - 1, 1))] for i in range(num)]


def seeds_of_confirmations(
    store: StudyStore, study: str, *, excluding: str, notice: Callable[[str], None]
) -> list[dict[str, int]]:
    """The seeds with which studies of this store confirm ``study``, those of one study excepted.

    Args:
        store: Where all of them live.
        study: That is confirmed.
        excluding: The study that asks.
        notice: Told of each study that cannot be read, whose seeds are not known.

    Raises:
        StorageError: The store cannot be read.
    """
    used: list[dict[str, int]] = []
    for name in store.place.names():
        if name == excluding:
            continue
        try:
            used += _seeds_if_confirming(store.folder(name), study)
        except UserError as error:
            notice(
                f"The study {name} cannot be read and is passed over: if it confirms {study} too, "
                f"some of its seeds may be used again. {error}"
            )
    return used


def _seeds_if_confirming(folder: StudyFolder, study: str) -> list[dict[str, int]]:
    """The seeds of a study if it confirms another."""
    if not folder.config_path.is_file():
        return []
    raw = folder.read_plain()
    try:
        if (raw.get("confirms") or {}).get("study") != study:
            return []
        groups = raw.get("axes") or ()
        return [{path: seed} for group in groups for path in SEEDS for seed in group.get(path, ())]
    except (AttributeError, TypeError):
        problem = Problem("", "is no study file; put back a copy of it")
        raise ConfigError([problem], source=str(folder.config_path)) from None


def fresh_seeds(
    record: Record,
    num_seeds: int,
    used: Collection[Mapping[str, int]] = (),
    *,
    vary_data: bool = False,
) -> list[dict[str, int]]:
    """The smallest seeds that no trial of the search had, none transferred to it, none ``used``.

    Returns:
        Path → value for each replicate: ``seed``, and ``data.seed`` if the data is to vary.
    """
    configs = [trial.config for trial in (*record.trials.values(), *record.priors)]
    known = {path: {seeds[path] for seeds in used if path in seeds} for path in SEEDS}
    known["seed"] |= {config["seed"] for config in configs}
    own = _smallest_unused(known["seed"], num_seeds)
    if not vary_data:
        return [{"seed": seed} for seed in own]
    known["data.seed"] |= {config["data"]["seed"] for config in configs}
    data = _smallest_unused(known["data.seed"], num_seeds)
    return [{"seed": s, "data.seed": d} for s, d in zip(own, data, strict=True)]


def _smallest_unused(used: set[int], num: int) -> list[int]:
    return list(itertools.islice((n for n in itertools.count() if n not in used), num))
