"""A history as single values over steps, as metric stores take them."""

from collections.abc import Mapping
from dataclasses import dataclass

from study.results import EpochRecord, MegabatchRecord, TrialHistory
from study.tracking.names import EPOCH_PREFIX


@dataclass(frozen=True)
class MetricPoint:
    """One value of a metric; ``step`` is a megabatch's index, or a trial's epoch."""

    name: str
    value: float
    step: int


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


def _epoch_points(record: EpochRecord) -> list[MetricPoint]:
    named = {f"{EPOCH_PREFIX}{name}": value for name, value in record.metrics.items()}
    return _points(named, record.step)


def _megabatch_points(record: MegabatchRecord) -> list[MetricPoint]:
    return _points(megabatch_metrics(record), record.megabatch_index)


def _points(metrics: Mapping[str, float], step: int) -> list[MetricPoint]:
    return [MetricPoint(name, float(value), step) for name, value in metrics.items()]
