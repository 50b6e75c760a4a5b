"""Which objectives a study may have, each refusal with its reason."""

import contextlib

from study.config.problems import Problem, did_you_mean, shown
from study.config.sections import TOTALS, StreamSection
from study.config.study_config import StudyConfig
from study.constraints import Constraint, parse_constraint
from study.metrics import METRICS, Metric, on_selection_split

_T = "stream.num_megabatches"
_HOLDOUT = "data.holdout_fraction"


def objective_problems(study: StudyConfig) -> list[Problem]:
    """What is wrong with the metrics that a study optimises, or names without a search."""
    problems = [*_name_problems(study.objective.metrics), *_constraint_problems(study)]
    if study.search is None:
        return problems
    metrics = _objectives(study)
    if not study.objective.allow_test_objective:
        problems += [_refuse(_on_test(metric)) for metric in metrics if metric.is_test]
    uncharged = {metric.uncharged: metric.name for metric in metrics}
    pruned = next((metric.name for metric in metrics if metric.is_of_pruning), None)
    if "after" in uncharged and pruned is not None:
        problems.append(
            _refuse(
                f"{uncharged['after']} together with {pruned} charges nobody for ruining the "
                f"last model; use service_error"
            )
        )
    if _varies_stream_length(study):
        problems += [
            _refuse(
                f"{metric.name} rewards T = 1, which has seen everything before it is asked, and "
                f"{_T} is searched; use service_error"
            )
            for metric in sorted(metrics, key=lambda metric: metric.name)
            if metric.uncharged == "before"
        ]
    return problems + _holdout_problems(study)


def _objectives(study: StudyConfig) -> list[Metric]:
    """Those that there are, each once."""
    return [METRICS[name] for name in dict.fromkeys(study.objective.metrics) if name in METRICS]


def _on_test(metric: Metric) -> str:
    instead = on_selection_split(metric)
    return (
        f"{metric.name} is measured on test, which nothing may be selected on; use "
        f"{instead.name} (on {instead.split}), or set objective.allow_test_objective: true and "
        f"have every report say so"
    )


def charge_problems(study: StudyConfig) -> list[Problem]:
    """While T is searched, compute must be charged: else the longest stream trains most."""
    if study.search is None or not _varies_stream_length(study):
        return []
    limited = (c.metric for c in _limits(study) if c.symbol == "<=" and c.metric in METRICS)
    charged = [*_objectives(study), *(METRICS[name] for name in limited)]
    if any(path in study.fixed for path in TOTALS) or any(m.is_training_compute for m in charged):
        return []
    where = "search.space" if _T in study.space.paths else "search.points"
    return [
        Problem(
            f"{where}.{_T}",
            "is searched while compute is not charged, so the longest stream wins by training "
            "more; fix training.total_samples or training.total_flops, or add samples_seen or "
            "train_flops to objective.metrics or a limit on one of them to objective.constraints",
        )
    ]


def _varies_stream_length(study: StudyConfig) -> bool:
    fixed = study.fixed.get(_T, StreamSection.model_fields["num_megabatches"].default)
    lengths = [point.get(_T, fixed) for point in study.points]
    return _T in study.space.paths or any(length != fixed for length in lengths)


def _holdout_problems(study: StudyConfig) -> list[Problem]:
    """An objective on holdout needs one."""
    on_holdout = [m.name for m in _objectives(study) if m.split == "holdout"]
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
        with contextlib.suppress(ValueError):  # _constraint_problems refuses it
            made.append(parse_constraint(text))
    return made


def _constraint_problems(study: StudyConfig) -> list[Problem]:
    problems = []
    if study.objective.constraints and study.search is None:
        problems.append("have no meaning without search; leave them out")
    allowed = trial_metrics()
    for text in study.objective.constraints:
        try:
            name = parse_constraint(text).metric
        except ValueError as error:
            problems.append(str(error))
            continue
        if name not in allowed:
            problems.append(f"no metric is called {shown(name)}; {did_you_mean(name, allowed)}")
        elif METRICS[name].is_test and not study.objective.allow_test_objective:
            problems.append(_on_test(METRICS[name]))
    return [Problem("objective.constraints", problem) for problem in problems]


def trial_metrics() -> list[str]:
    """What a finished trial has a value of."""
    return sorted(n for n, metric in METRICS.items() if metric.scope != "epoch")


def _refuse(message: str) -> Problem:
    return Problem("objective.metrics", message)


def _name_problems(names: tuple[str, ...]) -> list[Problem]:
    allowed = trial_metrics()
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
