"""Outcomes by example: what two networks that are judged on the same examples share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from analysis.statistics.differences import example_variance
from analysis.statistics.losses import service_losses
from analysis.statistics.verdicts import FEWEST_EXAMPLES
from study.metrics import METRICS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from analysis.runs.study_runs import Runs

# What examples add to the variance of a difference: counted in as they are shared, there in each
# pair by itself, or not known.
ExampleBasis = Literal["shared", "own", "unknown"]


def wrong_examples(
    runs: "Runs", run_id: str, *, split: str = "holdout"
) -> "NDArray[np.bool_] | None":
    """Which examples each model in service of a trial got wrong, ``[T, n]``."""
    return _unpacked(runs.load_examples(run_id), split)


def _unpacked(table: "pd.DataFrame | None", split: str) -> "NDArray[np.bool_] | None":
    import numpy as np

    if table is None:
        return None
    rows = table[table["split"] == split].sort_values("megabatch_index")
    # A guess, which serves where the first arrival waits, leaves no outcomes.
    if rows.empty or rows["megabatch_index"].iloc[0] != 0:
        return None
    bits = [np.frombuffer(row, dtype=np.uint8) for row in rows["wrong"]]
    number = int(rows["num_examples"].iloc[0])
    return np.stack([np.unpackbits(part, count=number) for part in bits]).astype(bool)


@dataclass(frozen=True)
class RunPair:
    """Two runs of one seed.

    Attributes:
        a: Run id.
        b: Run id.
        data: Pairs of the same are judged on the same examples.
    """

    a: str
    b: str
    data: str


@dataclass(frozen=True, eq=False)
class ExampleValues:
    """What each example adds to a metric, of any trial of a study.

    Attributes:
        load: As :attr:`Runs.load_examples`.
        metric: Its mean over examples is the metric, but for what all trials share.
        service_after: The h of the service error.
    """

    load: "Callable[[str], pd.DataFrame | None]"
    metric: str
    service_after: float
    _known: "dict[str, NDArray[np.float64] | None]" = field(default_factory=dict)

    def of(self, run_id: str) -> "NDArray[np.float64] | None":
        """``[n]``; None where the run has left no outcomes, or the metric is none of examples."""
        if run_id not in self._known:
            self._known[run_id] = self._read(run_id)
        return self._known[run_id]

    def _read(self, run_id: str) -> "NDArray[np.float64] | None":
        metric = METRICS[self.metric]
        name = self.metric.removeprefix("test_")
        if name not in _BY_EXAMPLE or metric.split is None:
            return None
        wrong = _unpacked(self.load(run_id), metric.split)
        return None if wrong is None else _BY_EXAMPLE[name](wrong, self.service_after)

    def variance(self, strata: Sequence[Sequence[RunPair]]) -> tuple[float, ExampleBasis]:
        """What examples that pairs share add to the variance of the mean over configurations.

        Args:
            strata: The pairs of each configuration.

        Returns:
            0 and ``own`` where no two pairs of a configuration share examples: then what examples
            add is there in the differences between pairs. 0 and ``unknown`` without outcomes.
        """
        groups: dict[str, list[NDArray[np.float64]]] = {}
        for stratum in strata:
            data = {pair.data for pair in stratum}
            if len(data) > 1:
                continue
            differences = self._differences(stratum)
            if differences is None:
                return 0.0, "unknown"
            groups.setdefault(data.pop(), []).append(differences)
        if not groups:
            return 0.0, "own"
        if any(len({part.shape[1] for part in group}) > 1 for group in groups.values()):
            return 0.0, "unknown"
        shares = ((len(group) / len(strata)) ** 2 * example_variance(group) for group in
                  groups.values())  # fmt: skip
        return sum(shares), "shared"

    def _differences(self, stratum: Sequence[RunPair]) -> "NDArray[np.float64] | None":
        import numpy as np

        made = []
        for pair in stratum:
            a, b = self.of(pair.a), self.of(pair.b)
            if a is None or b is None or len(a) != len(b) or len(a) < FEWEST_EXAMPLES:
                return None
            made.append(a - b)
        return np.stack(made) if len({len(part) for part in made}) == 1 else None


def example_values(runs: "Runs", metric: str) -> ExampleValues:
    """The values by example of the runs' trials."""
    return ExampleValues(runs.load_examples, metric, runs.study.service_after)


def _service(wrong: "NDArray[np.bool_]", service_after: float) -> "NDArray[np.float64]":
    return service_losses(wrong, chance_error=0.0, service_after=service_after)


def _mean(wrong: "NDArray[np.bool_]", _: float) -> "NDArray[np.float64]":
    mean: NDArray[np.float64] = wrong.mean(axis=0)
    return mean


def _anytime(wrong: "NDArray[np.bool_]", _: float) -> "NDArray[np.float64]":
    waited: NDArray[np.float64] = wrong[:-1].sum(axis=0) / len(wrong)
    return waited


def _final(wrong: "NDArray[np.bool_]", _: float) -> "NDArray[np.float64]":
    last: NDArray[np.float64] = wrong[-1].astype(float)
    return last


_BY_EXAMPLE: "dict[str, Callable[[NDArray[np.bool_], float], NDArray[np.float64]]]" = {
    "service_error": _service,
    "mean_error": _mean,
    "anytime_error": _anytime,
    "final_error": _final,
}
