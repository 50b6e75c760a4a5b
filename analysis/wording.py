"""Numbers as people read them, without more digits than they carry."""

from dataclasses import dataclass

from analysis.statistics.summary import Interval
from study.metrics import METRICS

_NOTHING = 1e-9  # a rounding error, in points


def percent(fraction: float) -> str:
    """``0.081`` → ``8.1 %``; whole percents from 100, two significant digits below 1 %."""
    value = 100 * fraction
    if value != value:
        return "unknown"
    if value == 0 or value >= 99.95:
        return f"{value:.0f} %"
    return f"{value:.1f} %" if abs(value) >= 1 else f"{value:.2g} %"


def points(difference: float) -> str:
    """How far two fractions are apart, whichever way: ``-0.0123`` → ``1.2 points``."""
    value = abs(100 * difference)
    if value < _NOTHING:
        value = 0.0
    return f"{value:.1f} points" if value >= 1 or value == 0 else f"{value:.2g} points"


def probability(p: float) -> str:
    """``p = 0.012``, or ``p < 0.001``."""
    return f"p = {p:.2g}" if p >= 0.001 else "p < 0.001"


def size(density: float) -> str:
    """A density as a share of the weights: ``0.1234`` → ``12 %``, ``0.034`` → ``3.4 %``."""
    value = 100 * density
    if value != value:
        return "unknown"
    return f"{value:.0f} %" if value >= 9.95 else f"{value:.2g} %"


def quantity(value: float, metric: str) -> str:
    """A metric's value: a density in two digits, other fractions in percent, else four digits.

    Bytes, latencies and speed-ups have their unit.
    """
    if is_size(metric):
        return size(value)
    if METRICS[metric].quantity in _UNITS:
        scale, unit = _UNITS[METRICS[metric].quantity]
        return f"{_digits(value / scale)} {unit}"
    return percent(value) if METRICS[metric].is_fraction else f"{value:.4g}"


# Quantity → what a unit is of the metric's own, and its name.
_UNITS = {"bytes": (1000.0, "kB"), "latency": (1.0, "ms"), "speed-up": (1.0, "times")}


def _digits(value: float) -> str:
    """Three significant digits, those before the point in any case: ``1,188``, ``2.13``."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


@dataclass(frozen=True)
class OnAxis:
    """How a metric stands on an axis: its name, its unit and how much one of that is.

    ``unit`` is empty where the name has it, or there is none.
    """

    name: str
    unit: str = ""
    scale: float = 1.0

    @property
    def title(self) -> str:
        """``file size (kB)``."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


def on_axis(metric: str) -> OnAxis:
    """Bytes in kB, speed-ups in times as fast, anything else as it is."""
    if METRICS[metric].quantity == "bytes":
        name = "file size" if metric == "file_bytes" else label(metric)
        scale, unit = _UNITS["bytes"]
        return OnAxis(name, unit, scale)
    is_speedup = METRICS[metric].quantity == "speed-up"
    return OnAxis(label(metric), "times as fast as dense" if is_speedup else "")


def is_size(metric: str) -> bool:
    """Whether it is a share of the weights that is left, the smaller the better."""
    return METRICS[metric].quantity == "density" and METRICS[metric].is_minimized


def bounds(interval: Interval) -> str:
    """``[5.5, 11.2]``, in percent."""
    return f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def margin_words(margin: float) -> str:
    """``1 point``, ``2.5 points``; the margin is a fraction of examples."""
    value = 100 * margin
    return "1 point" if value == 1 else f"{value:g} points"


def listing(parts: list[str]) -> str:
    """``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


_PARTS = (
    "half", "a third", "a quarter", "a fifth", "a sixth", "a seventh", "an eighth", "a ninth",
    "a tenth",
)  # fmt: skip


def share_words(ratio: float) -> str:
    """``half``, ``a fifth``, where it is that within a twentieth; else ``0.37 times``."""
    for number, words in enumerate(_PARTS, start=2):
        if abs(ratio * number - 1) <= 0.05:
            return words
    return f"{ratio:.2g} times"


LABELS = {
    "service_error": "service error",
    "final_error": "final error",
    "anytime_error": "anytime error",
    "mean_error": "mean error",
    "final_density": "weights kept",
    "density": "weights kept",
    "stream.num_megabatches": "T",
    "samples_seen": "examples trained on or scored",
    "train_flops": "training FLOPs",
    "train_flops_sparse": "training FLOPs, pruned weights not counted",
    "generalization_gap": "generalization gap",
    "latency_ms": "latency in ms",
    "latency_ms_batch64": "latency of 64 in ms",
    "speedup": "speed-up",
    "speedup_low": "speed-up, low",
    "speedup_high": "speed-up, high",
    "speedup_batch64": "speed-up of 64",
    "speedup_batch64_low": "speed-up of 64, low",
    "speedup_batch64_high": "speed-up of 64, high",
    "file_bytes": "bytes of the file",
}


def label(name: str) -> str:
    """A metric's or param's name for people; a dotted name stays as it is, to be found again."""
    if name in LABELS:
        return LABELS[name]
    if name.startswith("test_") and name[5:] in LABELS:
        return f"test {LABELS[name[5:]]}"
    return name if "." in name else name.replace("_", " ")
