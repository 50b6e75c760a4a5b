"""What a sampler, a way of stopping and a warm start ask of a study."""

from study.config.domains import Choices, Range
from study.config.points import MAX_CELLS
from study.config.problems import Problem, shown
from study.config.study_config import StudyConfig
from study.config.study_sections import ObjectiveSection, SearchSection, StoppingName
from study.metrics import METRICS, RUNNING_FORMS


def stopping_name(search: SearchSection, objective: ObjectiveSection) -> StoppingName:
    """How trials are stopped early: as the study sets it, ``auto`` decided."""
    name = search.stopping.name
    if name != "auto":
        return name
    if len(objective.metrics) > 1 or judged_metric(objective) is None:
        return "none"
    return "bound" if is_bounded(objective) else "asha"


def is_bounded(objective: ObjectiveSection) -> bool:
    """Whether what a trial has got wrong so far stays in the error that is an objective."""
    return any(name.endswith("service_error") for name in objective.metrics)


def judged_metric(objective: ObjectiveSection) -> str | None:
    """The running metric by which trials are compared; None where no objective has one."""
    forms = [RUNNING_FORMS[name] for name in objective.metrics if name in RUNNING_FORMS]
    return forms[0] if len(forms) == 1 else None


def search_problems(study: StudyConfig) -> list[Problem]:
    """What is wrong with the settings of a search among themselves."""
    if study.search is None:
        return []
    problems = _stopping_problems(study.search, study.objective)
    if study.search.sampler == "grid":
        problems += _grid_problems(study)
    elif study.search.sampler == "gp":
        problems += _gp_problems(study)
    if study.name in study.search.warm_start:
        problems.append(Problem("search.warm_start", "names this study itself; leave it out"))
    return problems


def _stopping_problems(search: SearchSection, objective: ObjectiveSection) -> list[Problem]:
    name = search.stopping.name
    if name in ("auto", "none"):
        return []
    if judged_metric(objective) is None:
        known = ", ".join(n for n in RUNNING_FORMS if not METRICS[n].is_test)
        message = (
            f"{name} compares running trials by one error, and the objectives "
            f"{shown(objective.metrics)} have none or several; use one of {known}, or none"
        )
        return [Problem("search.stopping.name", message)]
    if name == "bound" and not is_bounded(objective):
        message = (
            f"bound needs service_error among the objectives, of which a part is spent with each "
            f"megabatch; for {shown(objective.metrics)} use asha"
        )
        return [Problem("search.stopping.name", message)]
    others = [n for n in objective.metrics if n not in RUNNING_FORMS]
    unknown = [n for n in others if n not in METRICS or not METRICS[n].is_planned]
    if unknown:
        message = (
            f"with several objectives {name} compares trials of like density alone, and cannot "
            f"judge {', '.join(unknown)}: the cheapest trial is never dominated, whatever its "
            f"error; use none"
        )
        return [Problem("search.stopping.name", message)]
    return []


def _grid_problems(study: StudyConfig) -> list[Problem]:
    problems = []
    for dimension in study.space.dimensions:
        if not is_countable(dimension.domain):
            problems.append(
                Problem(
                    f"search.space.{dimension.path}",
                    "is a range without a step, which a grid cannot run through; give a step "
                    "or a list of choices, or another search.sampler",
                )
            )
    if not problems and len(study.space.cells(study.fixed, limit=MAX_CELLS + 1)) > MAX_CELLS:
        message = f"stands for more than {MAX_CELLS:,} trials as a grid; give fewer values"
        problems.append(Problem("search.space", message))
    return problems


def _gp_problems(study: StudyConfig) -> list[Problem]:
    forms = {frozenset(chosen) for chosen in study.space.ends(study.fixed)}
    if len(forms) <= 1:
        return []
    loose = sorted(frozenset.union(*forms) - frozenset.intersection(*forms))
    return [
        Problem(
            "search.sampler",
            f"gp needs every searched path in every trial, and {', '.join(loose)} exist only in "
            f"some: there it would draw at random; use tpe",
        )
    ]


def is_countable(domain: Range | Choices) -> bool:
    """Whether a grid can run through it."""
    if isinstance(domain, Choices):
        return True
    return domain.step is not None or (domain.is_integer and not domain.log)
