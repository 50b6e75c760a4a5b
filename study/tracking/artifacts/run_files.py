"""The files of a run: histories as Parquet, tables and figures for MLflow's view."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final

from study.results import LayerDensity, TrialHistory
from study.tracking import names
from study.tracking.artifacts.history import history_tables, write_examples
from study.tracking.artifacts.pictures import trial_pictures
from study.tracking.metric_points import megabatch_metrics

# MLflow's tag for artifacts that its interface shows as tables.
TABLES_TAG: Final = "mlflow.loggedArtifacts"

_Cell = str | int | float | None


def log_trial_files(
    folder: Path, key: str, title: str, history: TrialHistory, *, with_pictures: bool
) -> dict[str, str]:
    """Write a trial's files below ``folder``.

    Returns:
        The tags that make them shown.
    """
    history_tables({key: history}).write(folder)
    write_examples(folder, key, history)
    if with_pictures:
        for artifact, picture in trial_pictures(title, history).items():
            _write(folder / artifact, picture)
    if not history.megabatches:
        return {}
    rows = [{"megabatch": m.megabatch_index, **megabatch_metrics(m)} for m in history.megabatches]
    layer_names = [field.name for field in fields(LayerDensity)]
    layers = [
        {"megabatch": m.megabatch_index, **{n: getattr(layer, n) for n in layer_names}}
        for m in history.megabatches
        for layer in m.layers
    ]
    _write_table(folder / names.MEGABATCHES_TABLE, rows)
    _write_table(folder / names.LAYERS_TABLE, layers)
    return _shown(names.MEGABATCHES_TABLE, names.LAYERS_TABLE)


def log_study_files(
    folder: Path, titles: Mapping[str, str], histories: Mapping[str, TrialHistory]
) -> dict[str, str]:
    """Write a study's files below ``folder``: all histories, and a row a trial.

    Returns:
        The tags that make them shown.
    """
    history_tables(histories).write(folder)
    rows: list[dict[str, _Cell]] = [
        {
            "trial": titles.get(key, key),
            names.KEY_COLUMN: key,
            "stream_fraction": history.megabatches[-1].stream_fraction,
            **megabatch_metrics(history.megabatches[-1]),
        }
        for key, history in histories.items()
        if history.megabatches
    ]
    _write_table(folder / names.TRIALS_TABLE, rows)
    return _shown(names.TRIALS_TABLE)


def _shown(*artifacts: str) -> dict[str, str]:
    listed = [{"path": artifact, "type": "table"} for artifact in artifacts]
    return {TABLES_TAG: json.dumps(listed)}


def _write_table(path: Path, rows: Sequence[Mapping[str, _Cell]]) -> None:
    """In the form of ``mlflow.log_table``; what is no finite number is null."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    data = [list(_cells(row.get(name) for name in columns)) for row in rows]
    _write(path, json.dumps({"columns": columns, "data": data}).encode())


def _cells(values: Iterable[_Cell]) -> Iterable[_Cell]:
    for value in values:
        yield None if isinstance(value, float) and not math.isfinite(value) else value


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
