"""What arms ask of a search: that each can be given the same effort."""

from collections import Counter

from study.config.arms import MAX_ARMS, arm_name, belongs
from study.config.paths import controlling_paths
from study.config.problems import Problem, did_you_mean, shown
from study.config.space import Choices, Dimension
from study.config.study_config import StudyConfig
from study.config.study_sections import SearchSection
from study.text import count

_WHERE = "search.arms"


def arms_problems(study: StudyConfig) -> list[Problem]:
    """What is wrong with the arms of a search, if it has any."""
    search = study.search
    if search is None or not search.arms:
        return []
    return _path_problems(study, search.arms) or [
        *_share_problems(study),
        *_knowledge_problems(search),
        *_point_problems(study),
    ]


def _path_problems(study: StudyConfig, arms: tuple[str, ...]) -> list[Problem]:
    searched = {dimension.path: dimension for dimension in study.space.dimensions}
    problems = []
    for path, times in Counter(arms).items():
        if times > 1:
            problems.append(Problem(_WHERE, f"names {path} {times} times; keep one of them"))
        if path not in searched:
            known = [p for p, d in searched.items() if isinstance(d.domain, Choices)]
            problems.append(
                Problem(
                    _WHERE,
                    f"{shown(path)} is not searched; give its choices under search.space, or "
                    f"name another; {did_you_mean(path, known)}",
                )
            )
        elif not isinstance(searched[path].domain, Choices):
            problems.append(
                Problem(
                    _WHERE, f"{path} is a range, and an arm is one of several choices; list them"
                )
            )
        elif within := _searched_conditions(searched[path], searched, arms):
            problems.append(
                Problem(
                    _WHERE,
                    f"{path} exists only under some values of {' and '.join(within)}, searched "
                    f"within the arms; add that to the arms, or leave {path} out",
                )
            )
    return problems


def _searched_conditions(
    dimension: Dimension, searched: dict[str, Dimension], arms: tuple[str, ...]
) -> list[str]:
    needs = {*controlling_paths(dimension.path), *dimension.when}
    return sorted(needs & set(searched) - set(arms))


def _share_problems(study: StudyConfig) -> list[Problem]:
    num_arms, trials = len(study.search_arms), study.budget.trials or 0
    if num_arms > MAX_ARMS:
        return [Problem(_WHERE, f"stands for more than {MAX_ARMS} arms; give fewer choices")]
    if trials % num_arms == 0:
        return []
    below = trials - trials % num_arms
    choices = " or ".join(str(n) for n in (below, below + num_arms) if n)
    message = f"{trials} trials cannot be shared equally by {num_arms} arms; give {choices}"
    return [Problem("budget.trials", message)]


def _knowledge_problems(search: SearchSection) -> list[Problem]:
    problems = []
    if search.sampler == "grid":
        message = (
            "a grid has as many trials as an arm has combinations, and arms have as many as each "
            "other; use random or tpe, or leave search.arms out"
        )
        problems.append(Problem("search.sampler", message))
    if search.warm_start:
        message = (
            "gives arms what earlier studies have tried, more of it to some than to others; leave "
            "it or search.arms out"
        )
        problems.append(Problem("search.warm_start", message))
    return problems


def _point_problems(study: StudyConfig) -> list[Problem]:
    numbers = {
        arm_name(arm): sum(belongs(point, arm) for point in study.points)
        for arm in study.search_arms
    }
    if len(set(numbers.values())) <= 1:
        return []
    each = ", ".join(f"{name} {count(number, 'point')}" for name, number in numbers.items())
    message = f"are no equal effort for the arms ({each}); give each arm as many, or none"
    return [Problem("search.points", message)]
