"""MLflow → two tidy frames, the only things that reports are made of."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.errors import unknown
from analysis.runs import frames, histories
from analysis.runs.cache import gc_paused
from analysis.runs.frames import T
from analysis.runs.mlflow_reader import Store
from analysis.runs.study_runs import Runs, StudyFacts
from study.results import Outcome
from study.tracking import names
from study.tracking.run_store import StoredRun, newest_ended, one_run_per_trial

if TYPE_CHECKING:
    import pandas as pd


@gc_paused()
def load(study: str, *, tracking_uri: str) -> Runs:
    """The study called ``study`` from MLflow.

    Raises:
        ReportError: MLflow cannot be read, or knows no such study (with those there are).
    """
    store = Store(tracking_uri)
    parents = store.studies()
    named = [run for run in parents if run.tags.get(names.TAG_STUDY) == study]
    if not named:
        known = sorted({run.tags.get(names.TAG_STUDY, run.run_id) for run in parents})
        raise unknown("study", study, known, place=f" in {store.address}")
    parent = max(named, key=lambda run: run.start_time)
    confirming = _confirming(parents, study)
    facts = _facts(parent)
    notes = _notes_on_study(store, facts, parent, num_records=len(named))
    # Of several studies of one name the runs are mixed, as they are in MLflow.
    runs = _searched(_trial_runs(store, study, parent if len(named) == 1 else None), notes)
    closed = _closed(_one_per_trial(runs, notes), facts, notes)
    trials = frames.trials_frame(closed, server=store.server)
    del runs, closed  # the records take more room than the frame that is made of them
    notes += _notes_on_trials(trials)
    megabatches = histories.megabatches(store, parent, trials, notes)
    return Runs(
        study=facts,
        trials=trials,
        megabatches=megabatches,
        notes=tuple(notes),
        load_layers=lambda: histories.layers(store, parent, trials),
        load_examples=lambda run_id: store.table(run_id, names.EXAMPLES_ARTIFACT),
        load_confirmation=lambda: (
            load(confirming, tracking_uri=tracking_uri) if confirming else None
        ),
    )


def _notes_on_study(
    store: Store, facts: StudyFacts, parent: StoredRun, *, num_records: int
) -> list[str]:
    notes = []
    if num_records > 1:
        notes.append(f"{num_records} records of this study were found; the newest is read.")
    if facts.schema_version != names.SCHEMA_VERSION:
        notes.append(
            f"The study was recorded under schema version {facts.schema_version}, this report "
            f"reads version {names.SCHEMA_VERSION}: what has another name there is missing here."
        )
    if strangers := store.num_strangers(parent.experiment_id):
        notes.append(
            f"{strangers:,} run(s) in the same experiment belong to no study and are left out."
        )
    return notes


def _notes_on_trials(trials: "pd.DataFrame") -> list[str]:
    notes = []
    if num_without := int(trials[T].isna().sum()):
        notes.append(f"{num_without} trial(s) have no {T} in their record.")
    if compat := int(trials["method"].astype(str).str.endswith(names.COMPAT_SUFFIX).sum()):
        notes.append(
            f"{compat} trial(s) prune as the public reference code does "
            f"(…{names.COMPAT_SUFFIX}): they end below the density that their settings state."
        )
    return notes


def is_known(study: str, *, tracking_uri: str) -> bool:
    """Whether MLflow has a study of this name.

    Raises:
        ReportError: MLflow cannot be read.
    """
    return any(run.tags.get(names.TAG_STUDY) == study for run in Store(tracking_uri).studies())


def _confirming(parents: Sequence[StoredRun], study: str) -> str:
    """The study that confirms ``study``, of several the newest that ended; empty for none."""
    found = [run for run in parents if run.tags.get(names.TAG_CONFIRMS) == study]
    return newest_ended(found).tags[names.TAG_STUDY] if found else ""


def _facts(parent: StoredRun) -> StudyFacts:
    listed = parent.tags.get(names.TAG_OBJECTIVES, "").split(",")
    return StudyFacts(
        name=parent.tags[names.TAG_STUDY],
        description=parent.tags.get(names.TAG_DESCRIPTION, "").strip(),
        objectives=tuple(name.strip() for name in listed if name.strip()),
        outcome=_outcome(parent),
        schema_version=parent.tags.get(names.TAG_SCHEMA, "unknown"),
        params=dict(parent.params),
        confirms=parent.tags.get(names.TAG_CONFIRMS, ""),
    )


def _outcome(parent: StoredRun) -> str:
    if parent.is_running:
        return names.OUTCOME_RUNNING
    outcome = parent.tags.get(names.TAG_OUTCOME, names.OUTCOME_RUNNING)
    # Ended by somebody else, who did not say how.
    return Outcome.INTERRUPTED if outcome == names.OUTCOME_RUNNING else outcome


def _trial_runs(store: Store, study: str, closed: StoredRun | None) -> list[StoredRun]:
    """From the table of the closed study, if there is one and it has left it, else one by one."""
    found = store.closed_trials(closed) if closed else None
    return store.trials(study) if found is None else found


def _searched(runs: Sequence[StoredRun], notes: list[str]) -> list[StoredRun]:
    """The study's own trials, without those that went on with data of later."""
    kept = [run for run in runs if names.TAG_UPDATED_FROM not in run.tags]
    if len(kept) < len(runs):
        notes.append(
            f"{len(runs) - len(kept)} update(s) of finished trials with later data are left out: "
            f"they have seen more than the trials that are compared here."
        )
    return kept


def _one_per_trial(runs: Sequence[StoredRun], notes: list[str]) -> list[StoredRun]:
    chosen = one_run_per_trial(runs)
    if len(chosen) < len(runs):
        notes.append(
            f"{len(runs) - len(chosen)} run(s) repeat the trial of another; each trial is "
            f"counted once, by its complete run or else its newest."
        )
    keyless = sum(names.TAG_TRIAL_KEY not in run.tags for run in runs)
    if keyless:
        notes.append(f"{keyless} run(s) have no trial key and go by their MLflow run id.")
    return list(chosen.values())


def _closed(runs: Sequence[StoredRun], facts: StudyFacts, notes: list[str]) -> Sequence[StoredRun]:
    """Trials still marked as running in a study that has ended are interrupted ones."""
    if facts.running:
        return runs
    closed = [
        dataclasses.replace(run, tags={**run.tags, names.TAG_OUTCOME: Outcome.INTERRUPTED})
        if run.tags.get(names.TAG_OUTCOME, names.OUTCOME_RUNNING) == names.OUTCOME_RUNNING
        else run
        for run in runs
    ]
    changed = sum(a is not b for a, b in zip(runs, closed, strict=True))
    if changed:
        notes.append(
            f"{changed} trial(s) are recorded as running though the study has ended; they are "
            f"counted as interrupted."
        )
    return closed
