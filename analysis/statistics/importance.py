"""How much of a metric each hyper-parameter explains, by Optuna's evaluators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.statistics.summary import Interval

if TYPE_CHECKING:
    import optuna

MIN_TRIALS = 10
# Of more trials than these, as many are drawn: the time that forests take grows with them.
MAX_JUDGED = 1000
_DRAWS = 8
_TREES = 32
_TREES_OF_DRAW = 8
_LEFT_OUT = 0.25
_LARGEST_DRAW = 300

Value = float | str


@dataclass(frozen=True)
class Domain:
    """What a hyper-parameter was searched over: numbers, on a log scale or not, or choices."""

    is_choice: bool
    is_log: bool = False


@dataclass(frozen=True)
class _Data:
    """Trials as :func:`importances` is given them."""

    configurations: Sequence[Mapping[str, Value]]
    values: Sequence[float]
    domains: Mapping[str, Domain]
    minimize: bool
    seed: int


@dataclass(frozen=True)
class Importance:
    """What a hyper-parameter explains.

    Attributes:
        name: Its dotted name.
        num_trials: Trials that have it; fewer than all for a conditional one.
        fanova: Share of the metric's variance that it explains alone, in [0, 1], among the trials
            that have it; None where there are too few.
        spread: Least and largest share where a random quarter of those trials is left out.
        impurity: Mean decrease in impurity, as a share of that of all.
        ped_anova: How far it separates the best tenth of the trials, as a share of that of all
            hyper-parameters, conditional ones included.
    """

    name: str
    num_trials: int
    fanova: float | None
    spread: Interval | None
    impurity: float | None
    ped_anova: float | None


def importances(
    configurations: Sequence[Mapping[str, Value]],
    values: Sequence[float],
    domains: Mapping[str, Domain],
    *,
    minimize: bool = True,
    seed: int = 0,
) -> list[Importance]:
    """The hyper-parameters of ``domains`` that vary, the most important first.

    A forest needs trials that all have the same hyper-parameters. So those that every trial has
    are judged over all trials, and a conditional one over the trials that have it, together with
    all that they have in common. Of more than :data:`MAX_JUDGED`, as many are drawn at random.

    Args:
        configurations: Of each trial its hyper-parameters; one that it has not is left out.
        values: The metric of each trial.
        domains: What they were searched over.
        minimize: Whether lower is better.
        seed: Of the forests and the draws.
    """
    data = _Data(configurations, values, domains, minimize, seed)
    varied = [n for n in domains if len({c[n] for c in configurations if n in c}) > 1]
    ped = _ped_anova(data, varied)
    made = []
    forests: dict[tuple[int, ...], _Forest] = {}
    for name in varied:
        having = tuple(i for i, c in enumerate(configurations) if name in c)
        if having not in forests:
            forests[having] = _forest(data, having)
        forest = forests[having]
        made.append(
            Importance(
                name,
                len(having),
                forest.fanova.get(name),
                forest.spread.get(name),
                forest.impurity.get(name),
                ped.get(name),
            )
        )
    return sorted(made, key=lambda i: (-(i.fanova or 0.0), -(i.ped_anova or 0.0), i.name))


@dataclass(frozen=True)
class _Forest:
    fanova: dict[str, float]
    spread: dict[str, Interval]
    impurity: dict[str, float]


def _forest(data: _Data, having: Sequence[int]) -> _Forest:
    """All that the trials ``having`` have in common, judged by forests over them."""
    import numpy as np
    from optuna.importance import MeanDecreaseImpurityImportanceEvaluator

    if len(having) < MIN_TRIALS:
        return _Forest({}, {}, {})
    shared = [n for n in data.domains if all(n in data.configurations[i] for i in having)]
    having = _judged(having, data.seed)
    fanova = _fanova(data, having, shared, trees=_TREES)
    if not fanova:
        return _Forest({}, {}, {})
    # No evaluator gets the names: Optuna 5.0 mixes them up by its own order of them, and a
    # study of ours holds none but those that are asked for.
    evaluator = MeanDecreaseImpurityImportanceEvaluator(seed=data.seed)
    impurity = evaluator.evaluate(_study(data, having, list(fanova)))
    draw = np.random.default_rng(data.seed)
    size = min(round((1 - _LEFT_OUT) * len(having)), _LARGEST_DRAW)
    draws = [draw.choice(having, size, replace=False).tolist() for _ in range(_DRAWS)]
    shares = [_fanova(data, drawn, shared, trees=_TREES_OF_DRAW) for drawn in draws]
    spread = {
        name: Interval(
            min([fanova[name], *(share.get(name, 0.0) for share in shares)]),
            max([fanova[name], *(share.get(name, 0.0) for share in shares)]),
        )
        for name in fanova
    }
    return _Forest(fanova, spread, _of_all(impurity))


def _judged(trials: Sequence[int], seed: int) -> Sequence[int]:
    """All of them, or as many as are judged at most, in order; the same for the same seed."""
    import numpy as np

    if len(trials) <= MAX_JUDGED:
        return trials
    drawn = np.random.default_rng(seed).choice(trials, MAX_JUDGED, replace=False)
    return sorted(drawn.tolist())


def _fanova(
    data: _Data, trials: Sequence[int], names: Sequence[str], *, trees: int
) -> dict[str, float]:
    """Each name's share of the variance; empty where there is none. What is alike is left out."""
    from optuna.importance import FanovaImportanceEvaluator

    varied = [n for n in names if len({data.configurations[i][n] for i in trials}) > 1]
    if not varied or len({data.values[i] for i in trials}) < 2:
        return {}
    evaluator = FanovaImportanceEvaluator(n_trees=trees, seed=data.seed)
    found = evaluator.evaluate(_study(data, trials, varied))
    return {name: float(share) for name, share in found.items()}


def _ped_anova(data: _Data, names: Sequence[str]) -> dict[str, float]:
    from optuna.importance import PedAnovaImportanceEvaluator

    if len(data.values) < MIN_TRIALS or len(set(data.values)) < 2 or not names:
        return {}
    study = _study(data, _judged(range(len(data.values)), data.seed), names)
    return _of_all(PedAnovaImportanceEvaluator().evaluate(study))


def _of_all(found: Mapping[str, float]) -> dict[str, float]:
    """Values as shares of their sum."""
    total = sum(float(value) for value in found.values())
    return {name: float(value) / total for name, value in found.items()} if total > 0 else {}


def _study(data: _Data, trials: Sequence[int], names: Sequence[str]) -> "optuna.Study":
    """The trials as a study in memory, as if Optuna had run it."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    spaces = {n: _distribution(data, n) for n in names}
    study = optuna.create_study(direction="minimize" if data.minimize else "maximize")
    for i in trials:
        configuration = data.configurations[i]
        params = {n: configuration[n] for n in names if n in configuration}
        study.add_trial(
            optuna.trial.create_trial(
                params=params,
                distributions={n: spaces[n] for n in params},
                value=float(data.values[i]),
            )
        )
    return study


def _distribution(data: _Data, name: str) -> "optuna.distributions.BaseDistribution":
    """The smallest domain of its kind that holds what was tried."""
    import optuna

    tried = [c[name] for c in data.configurations if name in c]
    if data.domains[name].is_choice:
        return optuna.distributions.CategoricalDistribution(sorted(set(tried), key=str))
    numbers = [float(value) for value in tried]
    log = data.domains[name].is_log
    return optuna.distributions.FloatDistribution(min(numbers), max(numbers), log=log)
