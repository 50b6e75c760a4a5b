"""What must hold between the parts of a study."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from study.config.confirm_sections import ConfirmsSection
from study.config.paths import controlling_paths
from study.config.problems import ConfigError, Problem, did_you_mean, shown
from study.config.study_config import StudyConfig
from study.files import NAME
from study.metrics import METRICS

Places = Mapping[str, Iterable[Mapping[str, Any]]]


def study_problems(study: StudyConfig, raw: Mapping[str, Any]) -> list[Problem]:
    """Everything that is wrong between the sections of a study, which was read from ``raw``."""
    problems = [
        Problem(f"search.space.{path}", "is fixed as well; keep one of them")
        for path in study.space.paths
        if path in study.fixed
    ]
    problems += [
        Problem(f"axes.{path}", "is fixed as well; keep one of them")
        for path in dict.fromkeys(path for group in study.axes for path in group)
        if path in study.fixed
    ]
    if study.search is not None:
        problems += _search_problems(study, study.search.space, has_objective="objective" in raw)
    elif "search" not in raw and study.budget.trials is not None:
        problems.append(Problem("budget.trials", "has no meaning without search; leave it out"))
    if study.confirm is not None:
        problems += _confirm_problems(study)
    if study.confirms is not None:
        problems += _confirms_problems(study, study.confirms)
    return problems


def _confirm_problems(study: StudyConfig) -> list[Problem]:
    if study.search is None:
        return [Problem("confirm", "runs the best of a search again, and there is none")]
    if study.fixed.get("data.holdout_fraction") == 0:
        message = "judges on the holdout, and data.holdout_fraction is 0; set that above 0"
        return [Problem("confirm", message)]
    if not NAME.fullmatch(study.confirmation):
        message = (
            f"is too long with confirm, whose trials are of a study {shown(study.confirmation)}; "
            f"give at most {len(study.name) - len(study.confirmation) + 80} letters"
        )
        return [Problem("name", message)]
    return []


def _confirms_problems(study: StudyConfig, confirms: ConfirmsSection) -> list[Problem]:
    problems = []
    if len(confirms.arms) != len(study.axes):
        message = (
            f"names {len(confirms.arms)} arms for {len(study.axes)} groups of axes; give one for "
            f"each group"
        )
        problems.append(Problem("confirms.arms", message))
    if confirms.metric not in METRICS:
        message = f"no metric is called {shown(confirms.metric)}; "
        problems.append(
            Problem("confirms.metric", message + did_you_mean(confirms.metric, list(METRICS)))
        )
    return problems


def _search_problems(
    study: StudyConfig, space: Mapping[str, Any], *, has_objective: bool
) -> list[Problem]:
    problems = []
    if study.axes:
        problems.append(
            Problem(
                "axes",
                "a study searches or runs axes, not both; put the axis under search.space as "
                "choices, or leave search out",
            )
        )
    if not has_objective:
        problems.append(Problem("objective", "a search needs one, e.g. metrics: [service_error]"))
    trials = study.budget.trials
    if trials is None and study.search is not None and study.search.sampler == "grid":
        return problems
    if trials is None:
        problems.append(Problem("budget.trials", "a search needs a number of trials, e.g. 20"))
    elif trials == 0 and not study.points:
        problems.append(
            Problem("budget.trials", "is 0 and there are no search.points: no trial is left")
        )
    elif trials and not space:
        problems.append(
            Problem("search.space", "is empty; give a path and its values, or leave search out")
        )
    return problems


def corner_problems(study: StudyConfig, points: Places) -> list[Problem]:
    """What is wrong with a trial that a study names, or with an extreme of its space.

    Args:
        study: Its parts read.
        points: Place in the file → the points written there.
    """
    problems = []
    for where, chosen in _corners(study, points):
        try:
            study.compose(chosen)
        except ConfigError as error:
            problems += [
                Problem(_located(study, where, chosen, p.path), p.message) for p in error.problems
            ]
    return problems


def leftover_problems(study: StudyConfig, points: Places) -> list[Problem]:
    """Settings without effect in a study whose trials are all right."""
    used: set[str] = set()
    seen: set[str] = set()
    for _, chosen in _corners(study, points):
        seen |= set(chosen)
        used |= set(study.compose(chosen).flat())
    return [*_unused_problems(study, used), *_never_problems(study, seen)]


def _corners(study: StudyConfig, points: Places) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for where, cells in points.items():
        for chosen in cells:
            yield where, chosen
    if study.search:
        for chosen in study.space.ends(study.fixed):
            yield "search.space", chosen


def _located(study: StudyConfig, where: str, chosen: Mapping[str, Any], path: str) -> str:
    """Where in the file the value of ``path`` stands; ``path`` itself where it is left out."""
    if path in chosen:
        return f"{where}.{path}"
    return f"fixed.{path}" if path in study.fixed else path


def _unused_problems(study: StudyConfig, used: set[str]) -> list[Problem]:
    return [
        Problem(
            f"fixed.{path}",
            f"belongs to no value of {' or '.join(controlling_paths(path))} that this study "
            f"uses; leave it out",
        )
        for path in study.fixed
        if path not in used and controlling_paths(path)
    ]


def _never_problems(study: StudyConfig, seen: set[str]) -> list[Problem]:
    problems = []
    for dimension in study.space.dimensions:
        if dimension.path not in seen:
            paths = dict.fromkeys([*controlling_paths(dimension.path), *dimension.when])
            problems.append(
                Problem(
                    f"search.space.{dimension.path}",
                    f"exists in no trial of this study: its conditions on {' and '.join(paths)} "
                    f"are never met by a searched or fixed value; change them, or leave it out",
                )
            )
    return problems
