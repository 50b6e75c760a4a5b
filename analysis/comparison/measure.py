"""By which errors a study is judged, and on how many examples they were measured."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.statistics import summary
from analysis.statistics.summary import Interval
from study.candidates import DENSITY

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs


@dataclass(frozen=True)
class Measure:
    """Which errors a study is judged by, and on how many examples they were measured.

    Attributes:
        service: Metric of the service error, on holdout or, where there is none, on test.
        final: Metric of the last model's error.
        curve: Metric of the error after each megabatch.
        split: ``holdout`` or ``test``.
        num_examples: Size of that split; None where it was not recorded.
        margin: How much worse than dense still looks as good, as a fraction of examples.
        sought: What pruning is to bring; by it candidates are put in order.
    """

    service: str
    final: str
    curve: str
    split: str
    num_examples: int | None
    margin: float
    sought: str = DENSITY

    @property
    def may_select(self) -> bool:
        """Whether the best may be named: nothing is chosen on the test split."""
        return self.split != "test"

    def on_split(self, name: str) -> str:
        """A metric of the whole trial, on the split."""
        return f"test_{name}" if self.split == "test" else name

    def interval(self, rate: float) -> Interval | None:
        """The binomial interval of an error rate on the split; None where its size is unknown."""
        if self.num_examples is None or not 0 <= rate <= 1:
            return None
        return summary.wilson_interval(rate, self.num_examples)


def measure_of(runs: "Runs") -> Measure:
    """Holdout errors; test errors only where no trial has a holdout error but some a test one."""
    trials = runs.trials
    has_holdout = trials[["service_error", "holdout_error_rate"]].notna().to_numpy().any()
    has_test = trials[["test_service_error", "test_error_rate"]].notna().to_numpy().any()
    split, prefix = ("test", "test_") if has_test and not has_holdout else ("holdout", "")
    return Measure(
        service=f"{prefix}service_error",
        final=f"{prefix}final_error",
        curve=f"{split}_error_rate",
        split=split,
        num_examples=_split_size(runs, f"data.{split}_size"),
        margin=runs.study.margin,
        sought=runs.study.sought if runs.study.sought in runs.trials else DENSITY,
    )


def _split_size(runs: "Runs", name: str) -> int | None:
    import pandas as pd

    recorded = [runs.study.params.get(name)]
    if name in runs.trials:
        recorded += runs.trials[name].dropna().tolist()
    sizes = pd.to_numeric(pd.Series(recorded, dtype="object"), errors="coerce").dropna()
    # The smallest, should they differ: its interval is the widest.
    return int(sizes.min()) if len(sizes) and sizes.min() >= 1 else None
