"""Which trials of a study are confirmed, and with which seeds."""

import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from study.config.study_config import StudyConfig
from study.config.trial import parse_trial
from study.config.yaml_io import read_yaml_file
from study.errors import StudyError
from study.operations.confirm_arms import DENSE, SEEDS, identity
from study.search.ranking import best_first
from study.search.selection import eligible, front, named
from study.store.folder import StudyStore
from study.store.record import Record, RecordedTrial
from study.text import count

DEFAULT_TOP = 3


@dataclass(frozen=True)
class ConfirmOptions:
    """What is to be confirmed.

    Attributes:
        top: How many of the best configurations; None for DEFAULT_TOP, or as many as there are.
        trials: Numbers or keys of trials to confirm instead.
        num_seeds: Fresh seeds of each arm, at least two.
        vary_data: Whether the data is split afresh with each seed, too.
    """

    top: int | None = None
    trials: tuple[str, ...] = ()
    num_seeds: int = 8
    vary_data: bool = False


def choose_trials(
    record: Record, study: StudyConfig, options: ConfirmOptions
) -> list[RecordedTrial]:
    """The trials to be run again, each of another configuration; pruned ones, if there are any.

    The best by the study's objective; of several objectives, trials of the front, spread evenly
    along it from the best by the first of them.

    Raises:
        StudyError: There are none, or not so many.
    """
    objective = study.objective
    if options.trials:
        if options.top is not None:
            raise StudyError("--top and --trial both choose what to confirm; keep one of them")
        return distinct(_of_search(record, which) for which in options.trials)
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
        raise StudyError(
            f"the study {study.name!r} has no complete trial{limits} with a value of "
            f"{' and '.join(objective.metrics)}: there is nothing to confirm yet"
        )
    top = min(DEFAULT_TOP, len(configurations)) if options.top is None else options.top
    if top > len(configurations):
        kind = "pruned " if pruned else ""
        what = "on its front" if has_front else "that may win"
        raise StudyError(
            f"--top {top}: the study {study.name!r} has "
            f"{count(len(configurations), f'distinct {kind}configuration')} {what}; give --top "
            f"{len(configurations)} or less, or name others by --trial"
        )
    return spread(configurations, top) if has_front else configurations[:top]


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


def spread(ordered: list[RecordedTrial], num: int) -> list[RecordedTrial]:
    """``num`` of them, evenly spread from the first to the last; the first alone for one."""
    last = len(ordered) - 1
    return [ordered[round(i * last / max(num - 1, 1))] for i in range(num)]


def seeds_of_confirmations(
    store: StudyStore, study: str, *, excluding: str
) -> list[dict[str, int]]:
    """The seeds with which studies of this store confirm ``study``, those of one study excepted.

    Raises:
        StorageError: The store cannot be read.
    """
    used: list[dict[str, int]] = []
    for name in store.place.names():
        folder = store.folder(name)
        if name == excluding or not folder.config_path.is_file():
            continue
        raw = read_yaml_file(folder.config_path)
        if (raw.get("confirms") or {}).get("study") == study:
            groups = raw.get("axes") or ()
            used += [
                {path: seed} for group in groups for path in SEEDS for seed in group.get(path, ())
            ]
    return used


def fresh_seeds(
    record: Record, options: ConfirmOptions, used: Collection[Mapping[str, int]] = ()
) -> list[dict[str, int]]:
    """The smallest seeds that no trial of the search had, none transferred to it, none ``used``.

    Returns:
        Path → value for each replicate: ``seed``, and ``data.seed`` if the data is to vary.
    """
    configs = [trial.config for trial in (*record.trials.values(), *record.priors)]
    known = {path: {seeds[path] for seeds in used if path in seeds} for path in SEEDS}
    known["seed"] |= {config["seed"] for config in configs}
    own = _smallest_unused(known["seed"], options.num_seeds)
    if not options.vary_data:
        return [{"seed": seed} for seed in own]
    known["data.seed"] |= {config["data"]["seed"] for config in configs}
    data = _smallest_unused(known["data.seed"], options.num_seeds)
    return [{"seed": s, "data.seed": d} for s, d in zip(own, data, strict=True)]


def _smallest_unused(used: set[int], num: int) -> list[int]:
    return list(itertools.islice((n for n in itertools.count() if n not in used), num))
