import dataclasses
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from study.example_errors import ExampleErrors
from study.results import EpochRecord, LayerDensity, MegabatchRecord, TrialHistory
from study.tracking.artifacts.history import history_tables, write_examples
from study.tracking.metric_points import metric_points
from study.tracking.names import (
    EPOCHS_ARTIFACT,
    EXAMPLES_ARTIFACT,
    LAYERS_ARTIFACT,
    MEGABATCHES_ARTIFACT,
)
from tests.helpers.tracking_records import history


def read_back(folder, summary_names):
    """Histories by key, rebuilt from the three files alone."""
    megabatches, epochs, layers = (
        pq.read_table(folder / name).to_pylist()
        for name in (MEGABATCHES_ARTIFACT, EPOCHS_ARTIFACT, LAYERS_ARTIFACT)
    )
    rebuilt = {}
    for row in megabatches:
        key, k = row.pop("trial_key"), row.pop("megabatch_index")
        fraction, kept = row.pop("stream_fraction"), row.pop("kept_epoch_index")
        present = {name: value for name, value in row.items() if value is not None}
        mine = [r for r in layers if (r["trial_key"], r["megabatch_index"]) == (key, k)]
        drop = ("trial_key", "megabatch_index")
        record = MegabatchRecord(
            k,
            fraction,
            kept,
            metrics={n: v for n, v in present.items() if n not in summary_names},
            summary={n: v for n, v in present.items() if n in summary_names},
            layers=tuple(
                LayerDensity(**{n: v for n, v in layer.items() if n not in drop}) for layer in mine
            ),
        )
        rebuilt.setdefault(key, ([], []))[1].append(record)
    for row in epochs:
        key = row.pop("trial_key")
        fixed = [row.pop(name) for name in ("megabatch_index", "epoch_index", "step")]
        present = {name: value for name, value in row.items() if value is not None}
        rebuilt.setdefault(key, ([], []))[0].append(EpochRecord(*fixed, present))
    return {key: TrialHistory(tuple(e), tuple(m)) for key, (e, m) in rebuilt.items()}


def test_what_is_read_back_from_parquet_equals_the_records(tmp_path):
    histories = {"a": history(3, of=3), "b": history(1, of=3, offset=0.125)}
    history_tables(histories).write(tmp_path)
    assert read_back(tmp_path, {"service_error"}) == histories


def test_columns_are_fixed_ones_then_metrics_in_the_order_of_their_list_then_unknown_ones():
    record = MegabatchRecord(
        0, 1.0, 0, {"zeal": 1.0, "seconds": 2.0, "density": 1, "ardour": 3.0, "error_rate": 0.5}
    )
    table = history_tables({"a": TrialHistory(megabatches=(record,))}).megabatches
    fixed = ["trial_key", "megabatch_index", "stream_fraction", "kept_epoch_index"]
    # error_rate is a bare name that METRICS lists by split, so it comes among the unknown ones
    assert table.column_names == [*fixed, "density", "seconds", "ardour", "error_rate", "zeal"]
    assert set(table.schema.types[4:]) == {pa.float64()}


def test_column_order_does_not_depend_on_the_order_of_trials_or_metrics():
    first = TrialHistory(epochs=(EpochRecord(0, 0, 0, {"lr": 0.1, "train_loss": 1.0}),))
    second = TrialHistory(epochs=(EpochRecord(0, 0, 0, {"train_loss": 1.0, "extra": 2.0}),))
    there = history_tables({"a": first, "b": second}).epochs.schema
    assert there == history_tables({"b": second, "a": first}).epochs.schema


def test_a_metric_that_only_one_trial_has_is_null_in_the_other_and_nan_stays_nan():
    rows = {
        "a": TrialHistory(epochs=(EpochRecord(0, 0, 0, {"lr": math.nan}),)),
        "b": TrialHistory(epochs=(EpochRecord(0, 0, 0, {"train_loss": math.inf}),)),
    }
    table = history_tables(rows).epochs
    lr, loss = table["lr"].to_pylist(), table["train_loss"].to_pylist()
    assert math.isnan(lr[0])
    assert lr[1] is None
    assert loss == [None, math.inf]


def test_no_history_at_all_gives_empty_tables_with_their_fixed_columns(tmp_path):
    tables = history_tables({})
    tables.write(tmp_path)
    assert pq.read_table(tmp_path / LAYERS_ARTIFACT).schema.equals(tables.layers.schema)
    fields = [field.name for field in dataclasses.fields(LayerDensity)]
    assert tables.layers.column_names == ["trial_key", "megabatch_index", *fields]
    assert [len(t) for t in (tables.megabatches, tables.epochs, tables.layers)] == [0, 0, 0]


def test_a_layer_without_effective_density_is_null_even_where_no_layer_has_one():
    layer = LayerDensity("w", 4, 2, 0.5, 0.5, 1.0)
    record = MegabatchRecord(0, 1.0, 0, {}, layers=(layer,))
    column = history_tables({"a": TrialHistory(megabatches=(record,))}).layers["effective_density"]
    assert column.type == pa.float64()
    assert column.to_pylist() == [None]


def test_points_after_a_prefix_and_points_of_the_prefix_make_up_all_of_them():
    whole = history(3, of=3)
    head = TrialHistory(whole.epochs[:2], whole.megabatches[:1])
    rest = metric_points(whole, num_epochs=2, num_megabatches=1)
    assert {*metric_points(head), *rest} == set(metric_points(whole))
    assert len(metric_points(head)) + len(rest) == len(metric_points(whole))


def test_epoch_metrics_are_prefixed_and_summaries_stand_at_the_last_megabatch():
    points = {(p.name, p.step): p.value for p in metric_points(history(2, of=2))}
    assert points["epoch/lr", 3] == 0.1
    assert points["service_error", 1] == 0.3
    assert ("service_error", 0) not in points


def test_outcomes_by_example_are_a_table_of_their_own_for_a_trial(tmp_path: Path) -> None:
    errors = {"holdout": ExampleErrors(3, b"\xa0"), "test": ExampleErrors(9, b"\x01\x80")}
    texts = {split: known.to_text() for split, known in errors.items()}
    record = MegabatchRecord(0, 1.0, 0, {}, example_errors=texts)
    write_examples(tmp_path, "a", TrialHistory(megabatches=(record,)))
    rows = pq.read_table(tmp_path / EXAMPLES_ARTIFACT).to_pylist()
    assert [row["split"] for row in rows] == ["holdout", "test"]
    assert [ExampleErrors(row["num_examples"], row["wrong"]) for row in rows] == [*errors.values()]
    assert {(row["trial_key"], row["megabatch_index"]) for row in rows} == {("a", 0)}


def test_a_trial_without_outcomes_by_example_leaves_no_table_of_them(tmp_path: Path) -> None:
    write_examples(tmp_path, "a", TrialHistory(megabatches=(MegabatchRecord(0, 1.0, 0, {}),)))
    assert not (tmp_path / EXAMPLES_ARTIFACT).exists()
