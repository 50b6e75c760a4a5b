"""Which objectives a study may have, each refusal with its reason."""

from typing import TYPE_CHECKING

from study.config.errors import Problem
from study.metrics import METRICS
from study.registry import nearest

if TYPE_CHECKING:
    from study.config.study import StudyConfig

_DENSITY = {"final_density", "density", "sparsity", "model_density", "effective_density"}
_COMPUTE = {"samples_seen", "train_flops", "train_flops_sparse"}
_CUMULATIVE = {"cumulative_errors", "mean_error", "test_cumulative_errors", "test_mean_error"}
_ANYTIME = {"anytime_error", "test_anytime_error"}
_T = "stream.num_megabatches"
_NO_HOLDOUT = ("train_", "validation_", "test_")


def objective_problems(study: "StudyConfig") -> list[Problem]:
    """Everything that is wrong with the objective of a study that searches."""
    if study.search is None:
        return []
    names = study.objective.metrics
    problems = _name_problems(names)
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
    if _T in study.space.paths:
        problems += _stream_length_problems(study, chosen)
    on_holdout = [n for n in names if _is_on_holdout(n)]
    if on_holdout and study.fixed.get("data.holdout_fraction") == 0:
        problems.append(
            Problem(
                "fixed.data.holdout_fraction",
                f"is 0, but {on_holdout[0]} is measured on the holdout; set it above 0",
            )
        )
    return problems


def _refuse(message: str) -> Problem:
    return Problem("objective.metrics", message)


def _name_problems(names: tuple[str, ...]) -> list[Problem]:
    allowed = sorted(n for n, metric in METRICS.items() if metric.scope != "epoch")
    problems = []
    for name in names:
        if name not in allowed:
            guess = nearest(name, allowed)
            hint = f"; did you mean {guess!r}?" if guess else ""
            problems.append(
                _refuse(f"no objective is called {name!r}{hint} (known: {', '.join(allowed)})")
            )
    if not names:
        problems.append(_refuse("needs at least one metric, e.g. [service_error]"))
    if len(set(names)) < len(names):
        problems.append(_refuse("names a metric twice"))
    return problems


def _stream_length_problems(study: "StudyConfig", chosen: set[str]) -> list[Problem]:
    problems = [
        _refuse(
            f"{name} rewards T = 1, which has seen everything before it is asked, and "
            f"{_T} is searched; use service_error"
        )
        for name in sorted(chosen & _CUMULATIVE)
    ]
    charged = "training.total_samples" in study.fixed or chosen & _COMPUTE
    if not charged:
        problems.append(
            Problem(
                f"search.space.{_T}",
                "is searched while compute is not charged, so the longest stream wins by training "
                "more; fix training.total_samples, or add samples_seen or train_flops to "
                "objective.metrics",
            )
        )
    return problems


def _is_on_holdout(name: str) -> bool:
    metric = METRICS.get(name)
    if metric is None or name.startswith(_NO_HOLDOUT):
        return False
    return "on holdout" in metric.description or "holdout examples" in metric.description
