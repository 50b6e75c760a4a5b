"""The study that runs the best trials of another and their baselines again, with fresh seeds."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from study.config.loading import study_from_raw
from study.config.study import parse_study
from study.config.study_config import StudyConfig
from study.errors import StudyError
from study.metrics import METRICS
from study.operations.confirm_arms import Arm, confirmed_arms, fixed_and_axes, seed_axes
from study.operations.confirm_choice import (
    ConfirmationError,
    ConfirmOptions,
    choose_trials,
    fresh_seeds,
)
from study.operations.confirm_settings import tuned_baselines
from study.operations.opened_study import OpenedStudy
from study.store.folder import StudyFolder
from study.text import count

# What reports compare with of the search's results, beside its objectives.
_SEARCHED = (
    "service_error",
    "final_error",
    "final_density",
    "test_service_error",
    "test_final_error",
)


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
        StudyError: There is nothing to confirm, or not so much.
        ConfigError: No study can have that name.
    """
    study = searched.study
    if study.confirms is not None:
        raise StudyError(
            f"the study {study.name!r} confirms {study.confirms.study!r} itself; confirm that one "
            f"again with other seeds or trials, under another --name"
        )
    chosen = choose_trials(searched.record, study, options)
    metric = judged_metric(study.objective.metrics)
    tuned = tuned_baselines(study, searched.record, metric)
    confirmed = [(trial, searched.trial(trial)) for trial in chosen]
    arms = confirmed_arms(confirmed, options.baselines, tuned)
    seeds = fresh_seeds(searched.record, options.num_seeds, used, vary_data=options.vary_data)
    how_many = "fresh seeds until it is decided" if options.looks else ""
    how_many = how_many or count(options.num_seeds, "fresh seed")
    raw = study.to_dict()
    tracking = raw["tracking"]
    if study.measured_latency == "final":
        tracking = {**tracking, "log_latency": "final"}  # if only a constraint has named it
    objective = {**raw["objective"], "constraints": ()}  # the trials are chosen
    budget = {"trial_timeout": study.budget.trial_timeout}
    numbers = ", ".join(str(trial.number) for trial in chosen)
    return study_from_raw(
        {
            "name": name,
            "description": f"The best of the study {study.name} (trials {numbers}) and their "
            f"baselines, each run again with {how_many}.",
            **fixed_and_axes(arms, seeds),
            "objective": objective,
            "budget": budget,
            "resources": raw["resources"],
            "tracking": tracking,
            "confirms": {
                "study": study.name,
                "metric": metric,
                "tuned": tuned.paths,
                "looks": options.looks,
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
    """The first objective that would not be answered by pruning all away."""
    return next((n for n in objectives if not METRICS[n].is_of_pruning), objectives[0])


def _as_section(arm: Arm, objectives: Sequence[str]) -> Mapping[str, Any]:
    if arm.chosen is None:
        return {"baseline_of": arm.baseline_of, "settings_of": arm.settings_of}
    found = arm.chosen.final_values
    metrics = [name for name in dict.fromkeys((*objectives, *_SEARCHED)) if name in METRICS]
    return {
        "trial": arm.chosen.number,
        "baseline_of": arm.baseline_of,
        "searched": {n: float(found[n]) for n in metrics if math.isfinite(found.get(n, math.nan))},
    }


def begun(study: StudyConfig, folder: StudyFolder) -> StudyConfig | None:
    """The confirming study as it is to go on, with the seeds that it has by now.

    Args:
        study: As it would be launched.
        folder: That of its name.

    Returns:
        None where it was not launched before.

    Raises:
        StudyError: Another study has its name.
        ConfirmationError: It was launched with other trials or seeds.
    """
    if not folder.exists:
        return None
    there = folder.read_config()
    assert study.confirms is not None
    if there.confirms is None or there.confirms.study != study.confirms.study:
        raise StudyError(
            f"there is a study {study.name!r} already, which confirms no "
            f"{study.confirms.study!r}; give the new one another --name"
        )
    same = study
    looks, num_arms = study.confirms.looks, len(study.axes)
    if looks and (there.confirms.looks, len(there.axes)) == (looks, num_arms):
        same = parse_study({**study.to_dict(), "axes": [dict(group) for group in there.axes]})
    known, wanted = ({t.key() for t in one.corners()} for one in (there, study))
    if known != {t.key() for t in same.corners()} or not wanted <= known:
        numbers = dict.fromkeys(a.trial for a in there.confirms.arms if a.trial is not None)
        seeds = sorted({trial.seed for trial in there.corners()})
        raise ConfirmationError(
            f"the study {study.confirms.study!r} was confirmed by {study.name!r} with other "
            f"settings (trials {', '.join(map(str, numbers))}; seeds "
            f"{', '.join(map(str, seeds))}); see app-report confirmed {study.confirms.study}, or "
            f"give the new one another --name"
        )
    return same
