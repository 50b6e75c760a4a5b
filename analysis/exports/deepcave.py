"""A study as the two tables that DeepCAVE reads: its search space and its trials.

The form is that of DeepCAVE's converter for data frames (configspace.csv and trials.csv).
"""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.exports.objectives import ended_at, objectives
from analysis.exports.written import Written, folder_for
from analysis.runs import frames
from analysis.runs.search_space import Choices, Numbers, Value, search_space
from study.metrics import METRICS
from study.results import Outcome
from study.tracking import names

if TYPE_CHECKING:
    import pandas as pd

    from analysis.runs.study_runs import Runs

_STATUSES = {
    Outcome.COMPLETE: "success",
    Outcome.EARLY_STOPPED: "pruned",
    Outcome.ERROR: "crashed",
    Outcome.INTERRUPTED: "aborted",
}
_ABSENT = "absent"  # of a choice that a trial has not
_DESCRIBED = (frames.KEY, "title", "reason", "method", "run_url")


def write_deepcave(runs: "Runs", out: Path) -> Written:
    """Write configspace.csv and trials.csv into ``out``, over earlier ones.

    The folder is what is opened in DeepCAVE, and its name is the run's there. Trials that run
    have no end yet and are left out. DeepCAVE's form knows no hyper-parameter that only some
    trials have. A choice that a trial has not is ``absent``. Of numbers as many are kept as leave
    at least half of the trials with all of them: the others become plain columns, and trials
    without one of those kept are left out; both are said.

    Raises:
        ReportError: They cannot be written, or no trial has a metric to be compared by.
    """
    import pandas as pd

    metrics = objectives(runs)
    ended = runs.trials[runs.trials["outcome"] != names.OUTCOME_RUNNING]
    space = search_space(runs.study, ended)
    domains = {
        path: domain
        for path, found in space.domains.items()
        if (domain := _flat(found, all(path in chosen for chosen in space.chosen)))
    }
    kept, notes = _shared(domains, space.chosen)
    whole = [_complete(chosen, kept) for chosen in space.chosen]
    ended = ended[[values is not None for values in whole]]
    rows = [
        (values, had)
        for values, had in zip(whole, space.chosen, strict=True)
        if values is not None
    ]
    trials = pd.DataFrame(
        {
            "config_id": range(len(ended)),
            **{path: [values[path] for values, _ in rows] for path in kept},
            **{_heading(name, ended[name]): _values(ended, name, metrics) for name in metrics},
            "status": _statuses(ended, metrics),
            "start_time": ended["started_at"].astype(float).to_numpy(),
            "end_time": ended_at(runs)[ended.index].to_numpy(),
            "seed": ended["seed"].fillna(-1).astype(int).to_numpy(),
            **{name: ended[name].to_numpy() for name in _DESCRIBED},
            **{path: [had.get(path) for _, had in rows] for path in domains if path not in kept},
        }
    )
    with folder_for(out):
        files = []
        for name, frame in (("configspace", _table(kept)), ("trials", trials)):
            files.append(out / f"{name}.csv")
            frame.to_csv(files[-1], index=False, lineterminator="\n")
    return Written(tuple(files), notes)


def _flat(domain: Numbers | Choices, is_everywhere: bool) -> Numbers | Choices | None:
    """Choices among numbers as the range that they lie in, as text would be read as numbers.

    None for what has one value alone, which is no hyper-parameter there.
    """
    if isinstance(domain, Choices):
        if any(isinstance(value, str | bool) for value in domain.values):
            values = (*domain.values, *(() if is_everywhere else (_ABSENT,)))
            return Choices(values) if len(values) > 1 else None
        numbers = [float(value) for value in domain.values]
        is_integer = all(isinstance(value, int) for value in domain.values)
        domain = Numbers(min(numbers), max(numbers), is_integer)
    return domain if domain.low < domain.high else None


def _shared(
    domains: Mapping[str, Numbers | Choices], chosen: Sequence[Mapping[str, Value]]
) -> tuple[dict[str, Numbers | Choices], tuple[str, ...]]:
    """The domains that are kept, and what is left out, in sentences."""
    kept, notes = dict(domains), []

    def num_whole() -> int:
        return sum(_complete(values, kept) is not None for values in chosen)

    while 2 * num_whole() < len(chosen):
        numbers = [path for path, domain in kept.items() if isinstance(domain, Numbers)]
        rarest = min(numbers, key=lambda path: sum(path in values for values in chosen))
        del kept[rarest]
        notes.append(
            f"{rarest} is a setting of some trials alone, which DeepCAVE's tables cannot hold: it "
            f"is a plain column of trials.csv."
        )
    if num_without := len(chosen) - num_whole():
        lacking = [p for p, d in kept.items() if isinstance(d, Numbers)
                   and any(p not in values for values in chosen)]  # fmt: skip
        notes.append(f"{num_without} trial(s) have no {' or no '.join(lacking)} and are left out.")
    return kept, tuple(notes)


def _complete(
    chosen: Mapping[str, Value], kept: Mapping[str, Numbers | Choices]
) -> dict[str, Value] | None:
    """A value of each path that is kept; None where a number is missing."""
    made: dict[str, Value] = {}
    for path, domain in kept.items():
        if path in chosen:
            made[path] = _text(chosen[path]) if isinstance(domain, Choices) else chosen[path]
        elif isinstance(domain, Choices):
            made[path] = _ABSENT
        else:
            return None
    return made


def _text(value: Value) -> str:
    """A choice as a text that is no number and no truth value when it is read again."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _table(domains: Mapping[str, Numbers | Choices]) -> "pd.DataFrame":
    import pandas as pd

    rows: list[dict[str, object]] = []
    for path, domain in domains.items():
        row: dict[str, object] = {"name": path}
        if isinstance(domain, Choices):
            items = list(map(_text, domain.values))
            row |= {"type": "categorical", "default": items[0], "ordered": False}
            row |= {f"item_{place}": item for place, item in enumerate(items)}
        else:
            kind = "integer" if domain.is_integer else "float"
            ends = int if domain.is_integer else float
            row |= {"type": kind, "log": domain.log, "distribution": "uniform"}
            row |= {"lower": ends(domain.low), "upper": ends(domain.high)}
        rows.append(row)
    columns = ["name", "type", "log", "lower", "upper", "default", "distribution", "ordered"]
    most = max((len(d.values) for d in domains.values() if isinstance(d, Choices)), default=0)
    return pd.DataFrame(rows, columns=[*columns, *(f"item_{place}" for place in range(most))])


def _heading(name: str, values: "pd.Series") -> str:
    """``metric:NAME [LOW; HIGH] (minimize)``: what has no bound is bounded by what was found."""
    metric, found = METRICS[name], values.astype(float).dropna()
    low = metric.low if math.isfinite(metric.low) else found.min()
    high = metric.high if math.isfinite(metric.high) else found.max()
    return f"metric:{name} [{_decimal(low)}; {_decimal(high)}] ({metric.direction})"


def _decimal(number: float) -> str:
    """Without an exponent, which is not read there."""
    return f"{number if math.isfinite(number) else 0.0:.6f}"


def _values(ended: "pd.DataFrame", name: str, metrics: Collection[str]) -> list[float]:
    """The metric of each trial that is a result."""
    values = zip(ended[name].astype(float), _statuses(ended, metrics), strict=True)
    return [value if status == "success" else math.nan for value, status in values]


def _statuses(ended: "pd.DataFrame", metrics: Collection[str]) -> list[str]:
    whole = ended[list(metrics)].notna().all(axis=1)
    return [
        "failed" if outcome == Outcome.COMPLETE and not is_whole else _STATUSES[Outcome(outcome)]
        for outcome, is_whole in zip(ended["outcome"], whole, strict=True)
    ]
