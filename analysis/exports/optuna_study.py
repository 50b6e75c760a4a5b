"""A study as a database of Optuna's, for optuna-dashboard and Optuna's own figures."""

import datetime
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.exports.objectives import ended_at, objectives
from analysis.exports.written import Written, folder_for
from analysis.runs import frames
from analysis.runs.search_space import Choices, Numbers, search_space
from study.files import atomic_replacement
from study.metrics import METRICS, RUNNING_FORMS
from study.results import Outcome
from study.tracking import names

if TYPE_CHECKING:
    import optuna
    import pandas as pd

    from analysis.runs.study_runs import Runs

FILE = "optuna.db"
_ATTRIBUTES = ("title", frames.KEY, "outcome", "reason", "method", "arm", "proposed_by", "run_url")


def write_optuna(runs: "Runs", out: Path) -> Written:
    """Write ``out``/optuna.db, a SQLite database with the one study, over an earlier one.

    The trials have the searched paths as params under their domains, the study's objectives as
    values, its constraints, the running objective at each percent of the stream as intermediate
    values (where there is one objective: Optuna takes none with several), and their metrics and
    their run in MLflow as user attributes. A stopped trial is pruned, a failed or interrupted one
    failed.

    Raises:
        ReportError: It cannot be written, or no trial has a metric to be compared by.
    """
    trials = frozen_trials(runs)
    path = out / FILE
    with folder_for(out), atomic_replacement(path) as temporary:
        _store(runs, trials, temporary)
    return Written((path,))


def _store(runs: "Runs", trials: "list[optuna.trial.FrozenTrial]", path: Path) -> None:
    import optuna
    from sqlalchemy import URL

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = URL.create("sqlite", database=str(path)).render_as_string()
    storage = optuna.storages.RDBStorage(url)
    try:
        metrics = objectives(runs)
        study = optuna.create_study(
            storage=storage,
            study_name=runs.study.name,
            directions=[METRICS[name].direction for name in metrics],
        )
        with warnings.catch_warnings():
            # Optuna calls the names of objectives, which its figures show, an experiment.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names(list(metrics))
        for name, value in {"description": runs.study.description, **runs.study.params}.items():
            if value:
                study.set_user_attr(name, value)
        study.add_trials(trials)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def frozen_trials(runs: "Runs") -> "list[optuna.trial.FrozenTrial]":
    """The trials as Optuna keeps them, by number.

    Raises:
        ReportError: No trial has a metric to be compared by.
    """
    import optuna

    metrics = objectives(runs)
    space = search_space(runs.study, runs.trials)
    distributions = {path: _distribution(domain) for path, domain in space.domains.items()}
    running = _running(runs, metrics)
    ends = ended_at(runs)
    made = []
    rows = zip(runs.trials.iterrows(), space.chosen, ends, strict=True)
    for (_, trial), chosen, end in rows:
        state = _state(trial, metrics)
        values = [float(trial[name]) for name in metrics]
        steps = running.get(trial[frames.KEY], {})
        frozen = optuna.trial.create_trial(
            state=state,
            values=values if state == optuna.trial.TrialState.COMPLETE else None,
            params=dict(chosen),
            distributions={path: distributions[path] for path in chosen},
            user_attrs=_attributes(trial),
            intermediate_values=steps,
            constraints=_violations(runs, trial),
        )
        frozen.datetime_start = _time(trial["started_at"])
        if state.is_finished():
            frozen.datetime_complete = _time(end)
        made.append(frozen)
    return made


def _distribution(domain: Numbers | Choices) -> "optuna.distributions.BaseDistribution":
    from optuna import distributions

    if isinstance(domain, Choices):
        return distributions.CategoricalDistribution(domain.values)
    if domain.is_integer:
        low, high, step = int(domain.low), int(domain.high), int(domain.step or 1)
        return distributions.IntDistribution(low, high, log=domain.log, step=step)
    return distributions.FloatDistribution(
        domain.low, domain.high, log=domain.log, step=domain.step
    )


def _state(trial: "pd.Series", metrics: tuple[str, ...]) -> "optuna.trial.TrialState":
    from optuna.trial import TrialState

    if trial["outcome"] == names.OUTCOME_RUNNING:
        return TrialState.RUNNING
    if trial["outcome"] == Outcome.EARLY_STOPPED:
        return TrialState.PRUNED
    values = [float(trial[name]) for name in metrics]
    is_result = trial["outcome"] == Outcome.COMPLETE and all(map(math.isfinite, values))
    return TrialState.COMPLETE if is_result else TrialState.FAIL


def _attributes(trial: "pd.Series") -> dict[str, Any]:
    texts = {name: str(trial[name]) for name in _ATTRIBUTES if trial[name]}
    metrics = {name: float(trial.get(name, math.nan)) for name in frames.TRIAL_METRICS}
    return texts | {name: value for name, value in metrics.items() if math.isfinite(value)}


def _violations(runs: "Runs", trial: "pd.Series") -> dict[str, float]:
    """Of a complete trial how far it breaks each constraint, at most 0 where it keeps it."""
    if trial["outcome"] != Outcome.COMPLETE:
        return {}
    return {
        str(c): violation
        for c in runs.study.constraints
        if math.isfinite(violation := c.violation(float(trial[c.metric])))
    }


def _running(runs: "Runs", metrics: tuple[str, ...]) -> Mapping[str, dict[int, float]]:
    """Trial key → percent of the stream → the running objective."""
    rows = runs.megabatches
    form = RUNNING_FORMS.get(metrics[0], metrics[0])
    if len(metrics) > 1 or form not in rows:
        return {}
    found: dict[str, dict[int, float]] = {}
    known = rows[[frames.KEY, "stream_fraction", form]].dropna()
    for key, fraction, value in known.itertuples(index=False):
        found.setdefault(key, {})[round(100 * fraction)] = float(value)
    return found


def _time(seconds: float) -> datetime.datetime:
    """In local time without a zone, as Optuna keeps its own."""
    return datetime.datetime.fromtimestamp(seconds)
