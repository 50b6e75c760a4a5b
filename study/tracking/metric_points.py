"""A history as single values over steps, as metric stores take them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from study.results import EpochRecord, MegabatchRecord, TrialHistory
from study.tracking.names import EPOCH_PREFIX, SAMPLES_PREFIX

# What is drawn against the examples seen as well, since trials of different T share that axis.
AGAINST_SAMPLES = (
    "holdout_error_rate",
    "test_error_rate",
    "projected_service_error",
    "density",
    "effective_density",
)


@dataclass(frozen=True)
class MetricPoint:
    """One value of a metric.

    ``step`` is a megabatch's index, a trial's epoch, or a number of examples. ``time`` is in
    seconds since 1970, 0 where nobody knows: a store that is sent the same point again, its time
    included, has it once.
    """

    name: str
    value: float
    step: int
    time: float = 0.0


def metric_points(
    history: TrialHistory, *, num_epochs: int = 0, num_megabatches: int = 0
) -> list[MetricPoint]:
    """What comes after the first ``num_epochs`` and ``num_megabatches``, no (name, step) twice."""
    points: dict[tuple[str, int], MetricPoint] = {}
    for epoch in history.epochs[num_epochs:]:
        for point in _epoch_points(epoch):
            points.setdefault((point.name, point.step), point)
    for megabatch in history.megabatches[num_megabatches:]:
        for point in _megabatch_points(megabatch):
            points.setdefault((point.name, point.step), point)
    return list(points.values())


def megabatch_metrics(record: MegabatchRecord) -> dict[str, float]:
    """Its metrics and, on the last one, the trial's; its own where both have a name."""
    both = {**record.summary, **record.metrics}
    return {name: float(value) for name, value in both.items()}


def last_metrics(history: TrialHistory) -> dict[str, float]:
    """Those of its newest megabatch; none where it has none."""
    return megabatch_metrics(history.megabatches[-1]) if history.megabatches else {}


def _epoch_points(record: EpochRecord) -> list[MetricPoint]:
    named = {f"{EPOCH_PREFIX}{name}": value for name, value in record.metrics.items()}
    return _points(named, record.step, record.recorded_at)


def _megabatch_points(record: MegabatchRecord) -> list[MetricPoint]:
    metrics, time = megabatch_metrics(record), record.recorded_at
    points = _points(metrics, record.megabatch_index, time)
    # What waits has seen no more examples than the one before it.
    samples = metrics.get("samples_seen") if record.is_trained else None
    if samples is not None and math.isfinite(samples):
        served = {f"{SAMPLES_PREFIX}{n}": metrics[n] for n in AGAINST_SAMPLES if n in metrics}
        points += _points(served, int(samples), time)
    return points


def _points(metrics: Mapping[str, float], step: int, time: float) -> list[MetricPoint]:
    return [MetricPoint(name, float(value), step, time) for name, value in metrics.items()]
