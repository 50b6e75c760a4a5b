"""Histories as tables: tidy Parquet files, three for one trial or for all of a study.

- megabatches: a row per megabatch: trial_key, megabatch_index, stream_fraction, kept_epoch_index
  (null where it waits), then metrics;
- epochs: a row per epoch: trial_key, megabatch_index, epoch_index, step, then metrics;
- layers: a row per megabatch and prunable tensor: trial_key, megabatch_index, then the fields of
  ``LayerDensity``;
- examples, for a trial alone: a row per megabatch and split: trial_key, megabatch_index, split,
  num_examples, and the bits of :class:`study.example_errors.ExampleErrors` as ``wrong``.

Indices and counts are int64, names string, all else float64. Metric columns come in the order of
``study.metrics.METRICS``, the unknown ones after it by name. A metric that a row lacks is null
(those of the whole trial are, but on its last megabatch); one that came out NaN is NaN.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it ships no types

from study.example_errors import ExampleErrors
from study.metrics import METRICS
from study.results import LayerDensity, TrialHistory
from study.tracking.metric_points import megabatch_metrics
from study.tracking.names import (
    EPOCHS_ARTIFACT,
    EXAMPLES_ARTIFACT,
    KEY_COLUMN,
    LAYERS_ARTIFACT,
    MEGABATCHES_ARTIFACT,
)

_Row = dict[str, str | int | float | None]

_MEGABATCH_COLUMNS = {
    KEY_COLUMN: pa.string(),
    "megabatch_index": pa.int64(),
    "stream_fraction": pa.float64(),
    "kept_epoch_index": pa.int64(),
}
_EPOCH_COLUMNS = {
    KEY_COLUMN: pa.string(),
    "megabatch_index": pa.int64(),
    "epoch_index": pa.int64(),
    "step": pa.int64(),
}
_LAYER_COLUMNS = {
    KEY_COLUMN: pa.string(),
    "megabatch_index": pa.int64(),
    "layer": pa.string(),
    "num_weights": pa.int64(),
    "num_kept": pa.int64(),
    "intended_density": pa.float64(),
    "density": pa.float64(),
    "mask_overlap": pa.float64(),
    "effective_density": pa.float64(),
    "forward_flops": pa.int64(),
}


_EXAMPLE_COLUMNS = {
    KEY_COLUMN: pa.string(),
    "megabatch_index": pa.int64(),
    "split": pa.string(),
    "num_examples": pa.int64(),
    "wrong": pa.binary(),
}


@dataclass(frozen=True)
class HistoryTables:
    """The three tables, rows in the order of the histories."""

    megabatches: pa.Table
    epochs: pa.Table
    layers: pa.Table

    def write(self, folder: Path) -> None:
        """Write each as Parquet below ``folder``, under its name in ``tracking.names``."""
        for table, artifact in (
            (self.megabatches, MEGABATCHES_ARTIFACT),
            (self.epochs, EPOCHS_ARTIFACT),
            (self.layers, LAYERS_ARTIFACT),
        ):
            _write(table, folder / artifact)


def history_tables(histories: Mapping[str, TrialHistory]) -> HistoryTables:
    """Trials one below the other; metrics that only some of them have are null in the others.

    Args:
        histories: Trial key → history.
    """
    return HistoryTables(
        megabatches=_table(_MEGABATCH_COLUMNS, _megabatch_rows(histories)),
        epochs=_table(_EPOCH_COLUMNS, _epoch_rows(histories)),
        layers=_table(_LAYER_COLUMNS, _layer_rows(histories)),
    )


def write_examples(folder: Path, key: str, history: TrialHistory) -> None:
    """Write a trial's outcomes by example below ``folder``; nothing where it has none."""
    rows = [
        {
            KEY_COLUMN: key,
            "megabatch_index": record.megabatch_index,
            "split": split,
            "num_examples": errors.num_examples,
            "wrong": errors.bits,
        }
        for record in history.megabatches
        for split, text in record.example_errors.items()
        for errors in (ExampleErrors.from_text(text),)
    ]
    if rows:
        table = pa.Table.from_pylist(rows, schema=pa.schema(_EXAMPLE_COLUMNS))
        _write(table, folder / EXAMPLES_ARTIFACT)


def _write(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd")


def _megabatch_rows(histories: Mapping[str, TrialHistory]) -> list[_Row]:
    return [
        {
            KEY_COLUMN: key,
            "megabatch_index": record.megabatch_index,
            "stream_fraction": record.stream_fraction,
            "kept_epoch_index": record.kept_epoch_index,
            **megabatch_metrics(record),
        }
        for key, history in histories.items()
        for record in history.megabatches
    ]


def _epoch_rows(histories: Mapping[str, TrialHistory]) -> list[_Row]:
    return [
        {
            KEY_COLUMN: key,
            "megabatch_index": record.megabatch_index,
            "epoch_index": record.epoch_index,
            "step": record.step,
            **{name: float(value) for name, value in record.metrics.items()},
        }
        for key, history in histories.items()
        for record in history.epochs
    ]


def _layer_rows(histories: Mapping[str, TrialHistory]) -> list[_Row]:
    names = [field.name for field in fields(LayerDensity)]
    return [
        {
            KEY_COLUMN: key,
            "megabatch_index": record.megabatch_index,
            **{name: getattr(layer, name) for name in names},
        }
        for key, history in histories.items()
        for record in history.megabatches
        for layer in record.layers
    ]


def _table(fixed: Mapping[str, pa.DataType], rows: list[_Row]) -> pa.Table:
    columns = dict(fixed)
    columns |= dict.fromkeys(_metric_order(set().union(*rows) - set(fixed)), pa.float64())
    return pa.table(
        {name: pa.array([row.get(name) for row in rows], kind) for name, kind in columns.items()}
    )


def _metric_order(names: Iterable[str]) -> list[str]:
    rank = {name: index for index, name in enumerate(METRICS)}
    return sorted(names, key=lambda name: (rank.get(name, len(rank)), name))
