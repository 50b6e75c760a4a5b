"""Which objectives a study may have, each refusal with its reason."""

import contextlib

from study.config.problems import Problem, did_you_mean, shown
from study.config.sections import StreamSection
from study.config.study_config import StudyConfig
from study.constraints import Constraint, parse_constraint
from study.metrics import METRICS

_DENSITY = {"final_density", "density", "sparsity", "model_density", "effective_density"}
_COMPUTE = {"samples_seen", "train_flops", "train_flops_sparse"}
_CUMULATIVE = {"cumulative_errors", "mean_error", "test_cumulative_errors", "test_mean_error"}
_ANYTIME = {"anytime_error", "test_anytime_error"}
_T = "stream.num_megabatches"
_HOLDOUT = "data.holdout_fraction"
_NO_HOLDOUT = ("train_", "validation_", "test_")


def objective_problems(study: StudyConfig) -> list[Problem]:
    """What is wrong with the metrics that a study optimises, or names without a search."""
    names = study.objective.metrics
    problems = [*_name_problems(names), *_constraint_problems(study)]
    if study.search is None:
        return problems
    chosen = set(names)
    if not study.objective.allow_test_objective:
        problems += [
            _refuse(
                f"{name} is measured on test, which nothing may be selected on; use "
                f"{name.removeprefix('test_')} (on holdout), or set "
                f"objective.allow_test_objective: true and have every report say so"
            )
            for name in names
            if name in METRICS and METRICS[name].is_test
        ]
    if chosen & _ANYTIME and chosen & _DENSITY:
        problems.append(
            _refuse(
                "anytime_error together with a density charges nobody for ruining the last "
                "model; use service_error"
            )
        )
    if _varies_stream_length(study):
        problems += [
            _refuse(
                f"{name} rewards T = 1, which has seen everything before it is asked, and "
                f"{_T} is searched; use service_error"
            )
            for name in sorted(chosen & _CUMULATIVE)
        ]
    return problems + _holdout_problems(study)


def charge_problems(study: StudyConfig) -> list[Problem]:
    """While T is searched, compute must be charged: else the longest stream trains most."""
    if study.search is None or not _varies_stream_length(study):
        return []
    charged = {*study.objective.metrics, *(c.metric for c in _limits(study) if c.symbol == "<=")}
    if "training.total_samples" in study.fixed or charged & _COMPUTE:
        return []
    where = "search.space" if _T in study.space.paths else "search.points"
    return [
        Problem(
            f"{where}.{_T}",
            "is searched while compute is not charged, so the longest stream wins by training "
            "more; fix training.total_samples, or add samples_seen or train_flops to "
            "objective.metrics or a limit on one of them to objective.constraints",
        )
    ]


def _varies_stream_length(study: StudyConfig) -> bool:
    fixed = study.fixed.get(_T, StreamSection.model_fields["num_megabatches"].default)
    lengths = [point.get(_T, fixed) for point in study.points]
    return _T in study.space.paths or any(length != fixed for length in lengths)


def _holdout_problems(study: StudyConfig) -> list[Problem]:
    """An objective on holdout needs one."""
    on_holdout = [n for n in study.objective.metrics if _is_on_holdout(n)]
    if not on_holdout:
        return []
    empty = [d.path for d in study.space.dimensions if d.path == _HOLDOUT and 0 in d.domain.ends()]
    where = f"search.space.{_HOLDOUT}" if empty else f"fixed.{_HOLDOUT}"
    if not empty and study.fixed.get(_HOLDOUT) != 0:
        return []
    return [
        Problem(where, f"is 0, but {on_holdout[0]} is measured on the holdout; set it above 0")
    ]


def _limits(study: StudyConfig) -> list[Constraint]:
    """The constraints that can be read."""
    made = []
    for text in study.objective.constraints:
        with contextlib.suppress(ValueError):  # told by _constraint_problems
            made.append(parse_constraint(text))
    return made


def _constraint_problems(study: StudyConfig) -> list[Problem]:
    problems = []
    if study.objective.constraints and study.search is None:
        problems.append("have no meaning without search; leave them out")
    allowed = _trial_metrics()
    for text in study.objective.constraints:
        try:
            name = parse_constraint(text).metric
        except ValueError as error:
            problems.append(str(error))
            continue
        if name not in allowed:
            problems.append(f"no metric is called {shown(name)}; {did_you_mean(name, allowed)}")
        elif METRICS[name].is_test and not study.objective.allow_test_objective:
            problems.append(
                f"{name} is measured on test, which nothing may be selected on; use "
                f"{name.removeprefix('test_')}, or set objective.allow_test_objective: true"
            )
    return [Problem("objective.constraints", problem) for problem in problems]


def _trial_metrics() -> list[str]:
    """What a finished trial has a value of."""
    return sorted(n for n, metric in METRICS.items() if metric.scope != "epoch")


def _refuse(message: str) -> Problem:
    return Problem("objective.metrics", message)


def _name_problems(names: tuple[str, ...]) -> list[Problem]:
    allowed = _trial_metrics()
    problems = []
    for name in names:
        if name not in allowed:
            problems.append(
                _refuse(f"no objective is called {shown(name)}; {did_you_mean(name, allowed)}")
            )
    if not names:
        problems.append(_refuse("needs at least one metric, e.g. [service_error]"))
    if len(set(names)) < len(names):
        problems.append(_refuse("names a metric twice; keep one of them"))
    return problems


def _is_on_holdout(name: str) -> bool:
    metric = METRICS.get(name)
    if metric is None or name.startswith(_NO_HOLDOUT):
        return False
    return "on holdout" in metric.description or "holdout examples" in metric.description
