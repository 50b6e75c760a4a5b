"""Runs as tidy frames: one row a trial, and one row a trial and megabatch."""

import re
from collections.abc import Callable, Mapping, Sequence, Set
from typing import TYPE_CHECKING

from study.metrics import METRICS, RUNNING_FORMS
from study.tracking import names

if TYPE_CHECKING:
    import pandas as pd

    from study.tracking.run_store import StoredRun

KEY = names.KEY_COLUMN
STEP = "megabatch_index"
T = "stream.num_megabatches"
GAP = "generalization_gap"

# Columns of the trials that every report may count on, whatever was logged.
FACTS = (
    KEY,
    "number",
    "title",
    "run_id",
    "run_url",
    "started_at",
    "outcome",
    "reason",
    "method",
    "architecture",
    "dataset",
    "confirmed_trial",
    "baseline_of",
    "settings_of",
    "arm",
    "proposed_by",
    "measured_with",
)
TRIAL_METRICS = tuple(name for name, metric in METRICS.items() if metric.scope != "epoch")
MEGABATCH_METRICS = tuple(name for name, metric in METRICS.items() if metric.scope == "megabatch")
# Of a trial that did not finish, what stands for its value at the end.
SO_FAR = {
    "final_density": "density",
    "service_error": RUNNING_FORMS["service_error"],
    "test_service_error": RUNNING_FORMS["test_service_error"],
}
_PARAMS = (T, "seed")

_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_MISSING = frozenset({"", "None", "null"})
_BOOLEANS = {"true": True, "True": True, "false": False, "False": False}


def typed(values: Sequence[str | None]) -> list[object]:
    """A column of MLflow's texts as booleans or numbers where all of it is, else as text."""
    given = {str(value) for value in values if value is not None} - _MISSING
    convert = _converter(given - {names.NOT_APPLICABLE})
    # A text column may mean "none" by it, as the replay policy of that name does.
    missing = _MISSING if convert is str else _MISSING | {names.NOT_APPLICABLE}
    return [None if value is None or value in missing else convert(value) for value in values]


def _converter(given: Set[str]) -> Callable[[str], object]:
    if given and given <= _BOOLEANS.keys():
        return _BOOLEANS.__getitem__
    if given and all(_INTEGER.fullmatch(value) for value in given):
        return int
    if given and all(_NUMBER.fullmatch(value) for value in given):
        return float
    return str


def trials_frame(runs: "Sequence[StoredRun]", *, server: str = "") -> "pd.DataFrame":
    """One row a trial by number: facts, params by dotted name (typed), last metrics.

    Metrics and params that no run has logged are there and missing, so reports need no check.
    ``run_url`` is the run's page on the MLflow ``server``, empty where there is none;
    ``started_at`` is in seconds since 1970.
    """
    import pandas as pd

    params = sorted({name for run in runs for name in run.params} - {*FACTS, *TRIAL_METRICS})
    columns: dict[str, list[object] | pd.Series] = {
        KEY: [run.tags.get(names.TAG_TRIAL_KEY, run.run_id) for run in runs],
        "number": [_number(run.tags.get(names.TAG_TRIAL_NUMBER)) for run in runs],
        "title": [run.tags.get("mlflow.runName", run.run_id) for run in runs],
        "run_id": [run.run_id for run in runs],
        "run_url": [_page(run, server) for run in runs],
        "started_at": [run.start_time / 1000 for run in runs],
        "outcome": [run.tags.get(names.TAG_OUTCOME, names.OUTCOME_RUNNING) for run in runs],
        "reason": [run.tags.get(names.TAG_REASON, "") for run in runs],
        "method": [run.tags.get(names.TAG_METHOD, "unknown") for run in runs],
        "architecture": [run.tags.get(names.TAG_ARCHITECTURE, "unknown") for run in runs],
        "dataset": [run.tags.get(names.TAG_DATASET, "unknown") for run in runs],
        "confirmed_trial": [run.tags.get(names.TAG_CONFIRMED_TRIAL, "") for run in runs],
        "baseline_of": [run.tags.get(names.TAG_BASELINE_OF, "") for run in runs],
        "settings_of": [run.tags.get(names.TAG_SETTINGS_OF, "") for run in runs],
        "arm": [run.tags.get(names.TAG_ARM, "") for run in runs],
        "proposed_by": [run.tags.get(names.TAG_PROPOSED_BY, "") for run in runs],
        "measured_with": [run.tags.get(names.TAG_MEASURED_WITH, "") for run in runs],
    }
    columns |= {name: typed([run.params.get(name) for run in runs]) for name in params}
    columns |= {name: pd.Series([None] * len(runs)) for name in _PARAMS if name not in columns}
    columns |= {
        name: pd.Series([run.metrics.get(name) for run in runs], dtype="float64")
        for name in TRIAL_METRICS
    }
    frame = pd.DataFrame(columns)
    return frame.sort_values(["number", KEY], kind="stable").reset_index(drop=True)


def _page(run: "StoredRun", server: str) -> str:
    if not server or not run.experiment_id:
        return ""
    return f"{server}/#/experiments/{run.experiment_id}/runs/{run.run_id}"


def _number(text: str | None) -> int:
    return int(text) if text is not None and _INTEGER.fullmatch(text) else 0


def history_frame(
    trial_key: str, steps: Mapping[str, Mapping[int, float]], num_megabatches: int | None
) -> "pd.DataFrame":
    """A trial's rows from its metrics' histories (metric → step → value)."""
    import pandas as pd

    wide = pd.DataFrame({name: pd.Series(dict(values)) for name, values in steps.items()})
    wide = wide.sort_index()
    fraction = (wide.index.to_numpy() + 1) / num_megabatches if num_megabatches else float("nan")
    wide.insert(0, KEY, trial_key)
    wide.insert(1, STEP, wide.index)
    wide.insert(2, "stream_fraction", fraction)
    return wide.reset_index(drop=True)


def megabatches_frame(parts: "Sequence[pd.DataFrame]") -> "tuple[pd.DataFrame, int]":
    """All trials' rows, one for each trial and megabatch, and how many doubles were dropped."""
    import pandas as pd

    columns = [KEY, STEP, "stream_fraction", *MEGABATCH_METRICS]
    full = [part for part in parts if not part.empty]
    frame = pd.concat(full, ignore_index=True) if full else pd.DataFrame(columns=columns)
    # The last one wins: a step that is written again was trained again after a restart.
    single = frame.drop_duplicates([KEY, STEP], keep="last")
    extra = [name for name in single.columns if name not in columns]
    ordered = single.reindex(columns=[*columns, *extra]).sort_values([KEY, STEP], kind="stable")
    return ordered.reset_index(drop=True), len(frame) - len(single)
