"""Configurations that are confirmed, and the baselines that each is compared with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from study.config.paths import is_active
from study.config.sections import TARGETS
from study.config.trial import TrialConfig, parse_trial, unflatten
from study.operations.confirm_settings import TunedBaselines
from study.pruning.schedules import SCHEDULES
from study.store.record import RecordedTrial
from study.trial.assembly import known_density

DENSE = "dense"
SEEDS = ("seed", "data.seed")  # in which replicates of one configuration differ
_TARGETS = frozenset(f"pruning.{name}" for name in TARGETS)


@dataclass
class Arm:
    """One configuration: a chosen trial, a baseline of others, or both.

    ``settings_of`` is the number of the trial in which a baseline was best, if it was tuned.
    """

    config: TrialConfig
    chosen: RecordedTrial | None = None
    baseline_of: tuple[int, ...] = ()
    settings_of: int | None = None


def confirmed_arms(
    chosen: Sequence[tuple[RecordedTrial, TrialConfig]],
    names: Collection[str],
    tuned: TunedBaselines,
) -> list[Arm]:
    """The chosen configurations, then those baselines that are none of them, each once.

    A baseline has its own best settings where the study has tuned it, else those of the trial.

    Args:
        chosen: Trials, with their configurations.
        names: Of the baselines that are run.
        tuned: What the study has tuned.
    """
    arms: dict[str, Arm] = {}
    for trial, config in chosen:
        arms[identity(config)] = Arm(config, chosen=trial)
    for trial, config in chosen:
        for baseline in baselines(trial, config):
            if baseline.pruning.schedule not in names:
                continue
            own, settings_of = tuned.with_own_settings(baseline) or (baseline, None)
            arm = arms.setdefault(identity(own), Arm(own, settings_of=settings_of))
            if arm.chosen is not trial:
                arm.baseline_of += (trial.number,)
    return list(arms.values())


def baselines(trial: RecordedTrial, config: TrialConfig) -> list[TrialConfig]:
    """The same as ``dense``, and as ``one_shot`` of the same density; none of a dense one."""
    if config.pruning.schedule == DENSE:
        return []
    # The reference's masks end below the density that is asked for.
    planned = None if config.pruning.reference_compat else known_density(config)
    density = trial.final_values["final_density"] if planned is None else planned
    schedule = SCHEDULES.get(config.pruning.schedule)
    is_planned = planned is not None and schedule.takes_target and schedule.ends_on_target
    target = {} if is_planned else {"pruning.final_density": density}
    found = [_pruned_as(config, DENSE, {})]
    if density < 1:
        found.append(_pruned_as(config, "one_shot", target))
    return found


def _pruned_as(config: TrialConfig, schedule: str, target: Mapping[str, float]) -> TrialConfig:
    """The configuration under another pruning schedule, and another target if one is given."""
    flat = set_values(config)
    if target:
        flat = {path: v for path, v in flat.items() if path not in _TARGETS}
    flat |= {"pruning.schedule": schedule, "pruning.reference_compat": False, **target}
    return parse_trial(unflatten({path: v for path, v in flat.items() if is_active(path, flat)}))


def set_values(config: TrialConfig) -> dict[str, Any]:
    """Dotted path → value, of all that has one."""
    return {path: value for path, value in config.flat().items() if value is not None}


def identity(config: TrialConfig) -> str:
    """The same where only seeds differ, or what does nothing to a dense network."""
    flat = {path: value for path, value in set_values(config).items() if path not in SEEDS}
    if config.pruning.schedule == DENSE:
        prunes = ("pruning.", "saliency.")
        flat = {path: value for path, value in flat.items() if not path.startswith(prunes)}
        flat["pruning.schedule"] = DENSE
    return parse_trial(unflatten(flat)).key()


def seed_axes(seeds: list[dict[str, int]]) -> list[dict[str, list[int]]]:
    """The seeds as axes: one group, or one for each where two of them go together."""
    if len(seeds[0]) == 1:
        return [{"seed": [replicate["seed"] for replicate in seeds]}]
    return [{path: [value] for path, value in replicate.items()} for replicate in seeds]


def fixed_and_axes(arms: Sequence[Arm], seeds: list[dict[str, int]]) -> dict[str, Any]:
    """``fixed`` and ``axes``: what all arms share, and a group of axes for each of them."""
    flats = [
        {path: value for path, value in set_values(arm.config).items() if path not in seeds[0]}
        for arm in arms
    ]
    shared = {
        path: value
        for path, value in flats[0].items()
        if all(path in flat and flat[path] == value for flat in flats)
    }
    return {
        "fixed": shared,
        "axes": [
            {**{path: [value] for path, value in flat.items() if path not in shared}, **group}
            for flat in flats
            for group in seed_axes(seeds)
        ],
    }
