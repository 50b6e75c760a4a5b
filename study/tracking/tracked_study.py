"""A study as a store of runs has it: its file, its trials, their histories."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it ships no types

from study.metrics import METRICS
from study.results import ENDED_BY_THEMSELVES, MegabatchRecord, TrialHistory
from study.tracking import names
from study.tracking.facts import TrackedStudy, TrackedTrial
from study.tracking.run_store import RunStore, StoredRun, one_run_per_trial


def read_study(store: RunStore, name: str) -> TrackedStudy | None:
    """The study of this name, its trials and their histories; None where there is none.

    Without updates of trials with later data.

    Raises:
        TrackingError: The store fails.
        ValueError: The name holds a quote or a backslash.
    """
    parents = store.find({names.TAG_KIND: names.KIND_STUDY, names.TAG_STUDY: name})
    if not parents:
        return None
    parent = parents[-1]
    runs = store.find({names.TAG_KIND: names.KIND_TRIAL, names.TAG_STUDY: name})
    trials = one_run_per_trial(run for run in runs if names.TAG_UPDATED_FROM not in run.tags)
    with tempfile.TemporaryDirectory() as folder:
        config = store.fetch(parent.run_id, names.CONFIG_ARTIFACT, Path(folder))
        config_yaml = config.read_text(encoding="utf-8") if config else ""
    histories = _histories(store, parent)
    for key, run in trials.items():
        # Those that ended since the study was last closed are in their own runs only.
        if key not in histories and run.outcome in ENDED_BY_THEMSELVES:
            histories |= _histories(store, run)
    return TrackedStudy(
        config_yaml,
        tuple(
            TrackedTrial(key, run.params, run.outcome, histories.get(key, TrialHistory()))
            for key, run in trials.items()
        ),
    )


def _histories(store: RunStore, run: StoredRun) -> dict[str, TrialHistory]:
    """Trial key → megabatches, of the trials in a run's table."""
    with tempfile.TemporaryDirectory() as folder:
        path = store.fetch(run.run_id, names.MEGABATCHES_ARTIFACT, Path(folder))
        rows = pq.read_table(path).to_pylist() if path else []
    by_key: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_key.setdefault(row[names.KEY_COLUMN], []).append(row)
    return {key: TrialHistory((), tuple(_megabatches(found))) for key, found in by_key.items()}


def _megabatches(rows: Sequence[Mapping[str, Any]]) -> Iterator[MegabatchRecord]:
    for row in sorted(rows, key=lambda row: row["megabatch_index"]):
        # A metric that is null was not measured then.
        values = {
            name: value
            for name, value in row.items()
            if isinstance(value, float) and name != "stream_fraction"
        }
        summary = {name: v for name, v in values.items() if _is_of_trial(name)}
        yield MegabatchRecord(
            megabatch_index=row["megabatch_index"],
            stream_fraction=row["stream_fraction"],
            kept_epoch_index=row["kept_epoch_index"],
            metrics={name: v for name, v in values.items() if name not in summary},
            summary=summary,
        )


def _is_of_trial(name: str) -> bool:
    return name in METRICS and METRICS[name].scope == "trial"
