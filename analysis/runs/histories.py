"""The histories that trials left in MLflow, as frames."""

from typing import TYPE_CHECKING, Any

from analysis.runs import frames
from analysis.runs.frames import KEY, STEP, T
from analysis.runs.mlflow_reader import Store
from study.results import Outcome
from study.tracking import names
from study.tracking.run_store import StoredRun

if TYPE_CHECKING:
    import pandas as pd


def no_layers() -> "pd.DataFrame":
    """The ledger of no trial."""
    import pandas as pd

    return pd.DataFrame(columns=[KEY, STEP, "layer"])


def megabatches(
    store: Store, parent: StoredRun, trials: "pd.DataFrame", notes: list[str]
) -> "pd.DataFrame":
    """One row a trial and megabatch; what is missing or odd joins ``notes``."""
    parts, missing = _tables(store, parent, trials, names.MEGABATCHES_ARTIFACT)
    replayed = empty = 0
    for trial in missing:
        part = _from_metrics(store, trial)
        replayed += not part.empty
        empty += part.empty and trial["outcome"] == Outcome.COMPLETE
        parts.append(part)
    if replayed:
        notes.append(
            f"{replayed} trial(s) have no history file (running or interrupted); their curves "
            f"are read from MLflow's metrics."
        )
    if empty:
        notes.append(f"{empty} finished trial(s) have no history and are missing from the curves.")
    frame, doubles = frames.megabatches_frame(parts)
    if doubles:
        notes.append(
            f"{doubles} megabatch(es) are recorded twice, as after a restart; the last "
            f"record of each is read."
        )
    return frame


def _tables(
    store: Store, parent: StoredRun, trials: "pd.DataFrame", artifact: str
) -> "tuple[list[pd.DataFrame], list[dict[str, Any]]]":
    """Histories from the parent's table, or else the trial's own; and the trials with neither."""
    parts: list[pd.DataFrame] = []
    read = [KEY, "run_id", "outcome", T, *frames.MEGABATCH_METRICS]
    rows = [{str(k): v for k, v in row.items()} for row in trials[read].to_dict("records")]
    # A trial that was resumed has gone on since its files were written.
    missing = [row for row in rows if row["outcome"] == names.OUTCOME_RUNNING]
    left = [row for row in rows if row["outcome"] != names.OUTCOME_RUNNING]
    compacted = store.table(parent.run_id, artifact)
    if compacted is not None and KEY in compacted and STEP in compacted:
        steps = compacted.groupby(KEY)[STEP].nunique()
        # So may have any trial of a study that is resumed, unless it was at its end.
        current = {
            row[KEY]
            for row in left
            if row[KEY] in steps.index and (not parent.is_running or steps[row[KEY]] == row[T])
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


def layers(store: Store, parent: StoredRun, trials: "pd.DataFrame") -> "pd.DataFrame":
    """The sparsity ledger: one row a trial, megabatch and layer."""
    import pandas as pd

    parts, _ = _tables(store, parent, trials, names.LAYERS_ARTIFACT)
    full = [part for part in parts if not part.empty]
    if not full:
        return no_layers()
    frame = pd.concat(full, ignore_index=True)
    keys = [name for name in (KEY, STEP, "layer") if name in frame]
    return frame.drop_duplicates(keys, keep="last").reset_index(drop=True)
