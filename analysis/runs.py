"""MLflow → two tidy frames, the only things that reports are made of."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from analysis import frames, summary
from analysis.collecting import uncollected
from analysis.errors import unknown
from analysis.frames import KEY, STEP, T
from analysis.store import RunRecord, Store
from study.constraints import Constraint, parse_constraints
from study.tracking import names

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class StudyFacts:
    """What is known of the study itself.

    Attributes:
        name: The study's name.
        description: The user's own words, may be empty.
        objectives: Metrics that the search optimises; empty where nothing is searched.
        outcome: ``running`` also where it was cut off; ``interrupted`` where it was stopped.
        schema_version: Of the names under which it was written.
        params: The parent run's params, as text.
    """

    name: str
    description: str = ""
    objectives: tuple[str, ...] = ()
    outcome: str = frames.COMPLETE
    schema_version: str = names.SCHEMA_VERSION
    params: dict[str, str] = field(default_factory=dict)

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """The limits that a winner of the search keeps."""
        return parse_constraints(self.params.get(names.PARAM_CONSTRAINTS, ""))

    @property
    def running(self) -> bool:
        """Whether its record is still open."""
        return self.outcome == frames.RUNNING


def _no_layers() -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(columns=[KEY, STEP, "layer"])


@dataclass(frozen=True, eq=False)
class Runs:
    """A study as reports see it.

    Attributes:
        study: The study's own facts.
        trials: One row a trial, by number: :data:`frames.FACTS`, params by dotted name, and every
            metric of :data:`frames.TRIAL_METRICS` with its last value.
        megabatches: One row a trial and megabatch: ``trial_key``, ``megabatch_index`` (0-based),
            ``stream_fraction`` in (0, 1], and every metric of a megabatch.
        notes: What is missing or odd in the records, in sentences.
        parts: The studies that it is put together from, see :mod:`analysis.several`; else empty.
    """

    study: StudyFacts
    trials: "pd.DataFrame"
    megabatches: "pd.DataFrame"
    notes: tuple[str, ...] = ()
    load_layers: Callable[[], "pd.DataFrame"] = _no_layers
    parts: "tuple[Runs, ...]" = ()

    @cached_property
    def layers(self) -> "pd.DataFrame":
        """The sparsity ledger: one row a trial, megabatch and layer. Read when first asked for."""
        return self.load_layers()

    @cached_property
    def candidates(self) -> "pd.DataFrame":
        """All trials but those that broke a constraint at their end: what may be a winner."""
        return summary.within(self.trials, self.study.constraints)

    @cached_property
    def complete(self) -> "pd.DataFrame":
        """The trials that reached the end of their stream."""
        return self.trials[self.trials["outcome"] == frames.COMPLETE]


@uncollected()
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
    notes: list[str] = []
    if len(named) > 1:
        notes.append(f"{len(named)} records of this study were found; the newest is read.")
    parent = max(named, key=lambda run: run.start_time)
    facts = _facts(parent)
    if facts.schema_version != names.SCHEMA_VERSION:
        notes.append(
            f"The study was recorded under schema version {facts.schema_version}, this report "
            f"reads version {names.SCHEMA_VERSION}: what was called otherwise is missing here."
        )
    if strangers := store.num_strangers(parent.experiment_id):
        notes.append(
            f"{strangers:,} run(s) in the same experiment are of no study and are left out."
        )
    runs = _searched(store.trials(study), notes)
    trials = frames.trials_frame(_closed(_one_per_key(runs, notes), facts, notes))
    del runs  # the records take more room than the frame that is made of them
    if trials[T].isna().any():
        notes.append(f"{int(trials[T].isna().sum())} trial(s) have no {T} in their record.")
    compat = trials["method"].astype(str).str.endswith(names.COMPAT_SUFFIX)
    if compat.any():
        notes.append(
            f"{int(compat.sum())} trial(s) prune as the public reference code does "
            f"(…{names.COMPAT_SUFFIX}): they end below the density that their settings state."
        )
    megabatches = _megabatches(store, parent, trials, notes)
    return Runs(
        study=facts,
        trials=trials,
        megabatches=megabatches,
        notes=tuple(notes),
        load_layers=lambda: _layers(store, parent, trials),
    )


def _facts(parent: RunRecord) -> StudyFacts:
    listed = parent.tags.get(names.TAG_OBJECTIVES, "").split(",")
    return StudyFacts(
        name=parent.tags[names.TAG_STUDY],
        description=parent.tags.get(names.TAG_DESCRIPTION, "").strip(),
        objectives=tuple(name.strip() for name in listed if name.strip()),
        outcome=_outcome(parent),
        schema_version=parent.tags.get(names.TAG_SCHEMA, "unknown"),
        params=dict(parent.params),
    )


def _outcome(parent: RunRecord) -> str:
    if parent.running:
        return frames.RUNNING
    outcome = parent.tags.get(names.TAG_OUTCOME, frames.RUNNING)
    # Ended by somebody else, who did not say how.
    return frames.INTERRUPTED if outcome == frames.RUNNING else outcome


def _searched(runs: Sequence[RunRecord], notes: list[str]) -> list[RunRecord]:
    """The study's own trials, without those that went on with data of later."""
    kept = [run for run in runs if names.TAG_UPDATED_FROM not in run.tags]
    if len(kept) < len(runs):
        notes.append(
            f"{len(runs) - len(kept)} update(s) of finished trials with later data are left out: "
            f"they have seen more than the trials that are compared here."
        )
    return kept


def _one_per_key(runs: Sequence[RunRecord], notes: list[str]) -> list[RunRecord]:
    """One run a trial: the complete one where there are several, else the newest."""
    chosen: dict[str, RunRecord] = {}
    for run in sorted(runs, key=_preference):
        chosen[run.tags.get(names.TAG_TRIAL_KEY, run.run_id)] = run
    if len(chosen) < len(runs):
        notes.append(
            f"{len(runs) - len(chosen)} run(s) repeat the trial of another; each trial is "
            f"counted once, by its complete run or else its newest."
        )
    keyless = sum(names.TAG_TRIAL_KEY not in run.tags for run in runs)
    if keyless:
        notes.append(f"{keyless} run(s) have no trial key and go by their MLflow run id.")
    return list(chosen.values())


def _preference(run: RunRecord) -> tuple[bool, int]:
    return run.tags.get(names.TAG_OUTCOME) == frames.COMPLETE, run.start_time


def _closed(runs: Sequence[RunRecord], facts: StudyFacts, notes: list[str]) -> Sequence[RunRecord]:
    """Trials still marked as running in a study that has ended are interrupted ones."""
    if facts.running:
        return runs
    closed = [
        dataclasses.replace(run, tags={**run.tags, names.TAG_OUTCOME: frames.INTERRUPTED})
        if run.tags.get(names.TAG_OUTCOME, frames.RUNNING) == frames.RUNNING
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


def _megabatches(
    store: Store, parent: RunRecord, trials: "pd.DataFrame", notes: list[str]
) -> "pd.DataFrame":
    parts, missing = _tables(store, parent, trials, names.MEGABATCHES_ARTIFACT)
    replayed = empty = 0
    for trial in missing:
        part = _from_metrics(store, trial)
        replayed += not part.empty
        empty += part.empty and trial["outcome"] == frames.COMPLETE
        parts.append(part)
    if replayed:
        notes.append(
            f"{replayed} trial(s) have no history file (still running, or cut off); their curves "
            f"are read from MLflow's metrics."
        )
    if empty:
        notes.append(f"{empty} finished trial(s) have no history and are missing in the curves.")
    frame, doubles = frames.megabatches_frame(parts)
    if doubles:
        notes.append(
            f"{doubles} megabatch(es) are recorded twice, as after a restart; the last "
            f"record of each is read."
        )
    return frame


def _tables(
    store: Store, parent: RunRecord, trials: "pd.DataFrame", artifact: str
) -> "tuple[list[pd.DataFrame], list[dict[str, Any]]]":
    """Histories from the parent's table, or else the trial's own; and the trials with neither."""
    parts: list[pd.DataFrame] = []
    rows = [{str(k): v for k, v in row.items()} for row in trials.to_dict("records")]
    # A trial that was resumed has gone on since its files were written.
    missing = [row for row in rows if row["outcome"] == frames.RUNNING]
    left = [row for row in rows if row["outcome"] != frames.RUNNING]
    compacted = store.table(parent.run_id, artifact)
    if compacted is not None and KEY in compacted and STEP in compacted:
        steps = compacted.groupby(KEY)[STEP].nunique()
        # So may have any trial of a study that is resumed, unless it was at its end.
        current = {
            row[KEY]
            for row in left
            if row[KEY] in steps.index and (not parent.running or steps[row[KEY]] == row[T])
        }
        parts.append(compacted[compacted[KEY].isin(list(current))])
        left = [row for row in left if row[KEY] not in current]
    for row in left:
        own = store.table(row["run_id"], artifact)
        if own is None or STEP not in own:
            missing.append(row)
        else:
            parts.append(own.assign(**{KEY: row[KEY]}))
    return parts, missing


def _from_metrics(store: Store, trial: dict[str, Any]) -> "pd.DataFrame":
    logged = [name for name in frames.MEGABATCH_METRICS if trial[name] == trial[name]]
    steps = {name: store.metric_history(trial["run_id"], name) for name in logged}
    total = trial[T]
    known = int(total) if isinstance(total, int | float) and total == total else None
    return frames.history_frame(trial[KEY], steps, known)


def _layers(store: Store, parent: RunRecord, trials: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    parts, _ = _tables(store, parent, trials, names.LAYERS_ARTIFACT)
    full = [part for part in parts if not part.empty]
    if not full:
        return _no_layers()
    frame = pd.concat(full, ignore_index=True)
    keys = [name for name in (KEY, STEP, "layer") if name in frame]
    return frame.drop_duplicates(keys, keep="last").reset_index(drop=True)
