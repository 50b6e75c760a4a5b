"""The study that runs the best trials of another again, and their baselines, with fresh seeds."""

import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from study.config.loading import study_from_raw
from study.config.study_config import StudyConfig
from study.config.trial import parse_trial
from study.config.yaml_io import read_yaml_file
from study.errors import StudyError
from study.metrics import METRICS
from study.operations.confirm_arms import (
    DENSE,
    SEEDS,
    Arm,
    confirmed_arms,
    fixed_and_axes,
    identity,
    seed_axes,
)
from study.operations.opened_study import OpenedStudy
from study.search.ranking import best_first
from study.search.selection import eligible, front, named
from study.store.folder import StudyFolder, StudyStore
from study.store.record import Record, RecordedTrial
from study.text import count

DEFAULT_TOP = 3
# What the search had found that reports compare with, beside its objectives.
_SEARCHED = (
    "service_error",
    "final_error",
    "final_density",
    "test_service_error",
    "test_final_error",
)


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


def confirming_study(
    searched: OpenedStudy,
    options: ConfirmOptions,
    name: str,
    *,
    overrides: Sequence[str] = (),
    used: Collection[Mapping[str, int]] = (),
) -> StudyConfig:
    """The study called ``name`` with these ``options``.

    Every arm has the same seeds, so that its trials and its baselines' are pairs.

    Args:
        searched: The study that is confirmed.
        options: What of it.
        name: Of the new study.
        overrides: ``path=value`` for what is not as in the other, such as ``tracking.uri``.
        used: Seeds of other confirmations, as :func:`seeds_of_confirmations` finds them.

    Raises:
        StudyError: It cannot be granted; says why.
        ConfigError: No study can have that name.
    """
    study = searched.study
    if study.confirms is not None:
        raise StudyError(
            f"the study {study.name!r} confirms {study.confirms.study!r} itself; confirm that one "
            f"again with other seeds or trials, under another --name"
        )
    chosen = choose_trials(searched.record, study, options)
    arms = confirmed_arms([(trial, searched.trial(trial)) for trial in chosen])
    seeds = fresh_seeds(searched.record, options, used)
    raw = study.to_dict()
    objective = {**raw["objective"], "constraints": ()}  # nothing is chosen any more
    budget = {"trial_timeout": study.budget.trial_timeout}
    numbers = ", ".join(str(trial.number) for trial in chosen)
    return study_from_raw(
        {
            "name": name,
            "description": f"The best of the study {study.name} (trials {numbers}) and their "
            f"baselines, each run again with {count(options.num_seeds, 'fresh seed')}.",
            **fixed_and_axes(arms, seeds),
            "objective": objective,
            "budget": budget,
            "resources": raw["resources"],
            "tracking": raw["tracking"],
            "confirms": {
                "study": study.name,
                "metric": judged_metric(study.objective.metrics),
                "arms": [
                    _as_section(arm, study.objective.metrics)
                    for arm in arms
                    for _ in seed_axes(seeds)
                ],
            },
            "plugins": raw["plugins"],
        },
        overrides=overrides,
    )


def judged_metric(objectives: Sequence[str]) -> str:
    """The first objective that is no density: that would be answered by pruning all away."""
    return next((n for n in objectives if METRICS[n].quantity != "density"), objectives[0])


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
            raise StudyError("--top and --trial both say what to confirm; keep one of them")
        return distinct(_of_search(record, which) for which in options.trials)
    able = eligible(record, objective)
    several = len(objective.metrics) > 1
    ranked = best_first(
        front(able, objective.metrics) if several else able,
        lambda trial: trial.final_values,
        objective.metrics[0],
    )
    # Dense is run in any case, as a baseline.
    pruned = [trial for trial in ranked if trial.config["pruning"]["schedule"] != DENSE]
    candidates = distinct(pruned or ranked)
    if not candidates:
        limits = " that keeps its constraints" if objective.limits else ""
        raise StudyError(
            f"the study {study.name!r} has no complete trial{limits} with a value of "
            f"{' and '.join(objective.metrics)}: there is nothing to confirm yet"
        )
    top = min(DEFAULT_TOP, len(candidates)) if options.top is None else options.top
    if top > len(candidates):
        kind = "pruned " if pruned else ""
        what = "on its front" if several else "that finished and may win"
        raise StudyError(
            f"--top {top}: the study {study.name!r} has "
            f"{count(len(candidates), f'distinct {kind}configuration')} {what}; give --top "
            f"{len(candidates)} or less, or name others by --trial"
        )
    return spread(candidates, top) if several else candidates[:top]


def _of_search(record: Record, which: str) -> RecordedTrial:
    trial = named(record, which)
    if trial.key in record.updates:
        raise StudyError(
            f"trial {trial.number} is an update of another with data of later; confirm one of the "
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


def _as_section(arm: Arm, objectives: Sequence[str]) -> Mapping[str, Any]:
    if arm.chosen is None:
        return {"baseline_of": arm.baseline_of}
    found = arm.chosen.final_values
    metrics = [name for name in dict.fromkeys((*objectives, *_SEARCHED)) if name in METRICS]
    return {
        "trial": arm.chosen.number,
        "baseline_of": arm.baseline_of,
        "searched": {n: float(found[n]) for n in metrics if math.isfinite(found.get(n, math.nan))},
    }


def is_begun(study: StudyConfig, folder: StudyFolder) -> bool:
    """Whether a confirming study was launched already with the same trials.

    Raises:
        StudyError: Another study has its name.
    """
    if not folder.exists:
        return False
    there = folder.read_config()
    assert study.confirms is not None
    if there.confirms is None or there.confirms.study != study.confirms.study:
        raise StudyError(
            f"there is a study {study.name!r} already, which confirms no "
            f"{study.confirms.study!r}; give the new one another --name"
        )
    if {trial.key() for trial in there.corners()} != {trial.key() for trial in study.corners()}:
        numbers = dict.fromkeys(a.trial for a in there.confirms.arms if a.trial is not None)
        seeds = sorted({trial.seed for trial in there.corners()})
        raise StudyError(
            f"the study {study.confirms.study!r} was confirmed by {study.name!r} with other "
            f"settings (trials {', '.join(map(str, numbers))}; seeds "
            f"{', '.join(map(str, seeds))}); see app-report confirmed {study.confirms.study}, or "
            f"give the new one another --name"
        )
    return True
