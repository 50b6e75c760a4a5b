"""Metric names, directions and bounds, and the arithmetic of anytime error.

A bare name is measured on the holdout split, ``test_`` in front on the test split. All errors are
fractions in [0, 1]; time is the fraction of the stream that has arrived.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, NamedTuple, get_args

Scope = Literal["epoch", "megabatch", "trial"]
Direction = Literal["minimize", "maximize"]
Split = Literal["train", "validation", "holdout", "test"]
Quantity = Literal[
    "error", "errors", "accuracy", "loss", "gap", "density", "overlap", "examples", "flops",
    "bytes", "time", "throughput", "learning rate", "latency", "speed-up",
]  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """One metric: what it is called, what it measures, and which way is better.

    Attributes:
        quantity: What its values are: ``error`` a rate, ``errors`` a count, ``density`` a share
            of the weights whatever they are counted over.
        split: The examples that it is measured on; None where it is of none.
        low: Its least possible value, and ``high`` its greatest.
        grows: Whether it adds up along the stream, so that it is larger the later it is asked for.
        uncharged: The time in service whose errors it leaves out: before the first model, or
            after the stream, while the last one serves.
        is_planned: Whether a trial's configuration sets it, but for a rounding.
    """

    name: str
    direction: Direction
    low: float
    high: float
    scope: Scope
    quantity: Quantity
    description: str
    split: Split | None = None
    grows: bool = False
    uncharged: Literal["before", "after"] | None = None
    is_planned: bool = False

    @property
    def is_test(self) -> bool:
        """Whether it is measured on the test split, which nothing may be selected on."""
        return self.split == "test"

    @property
    def is_minimized(self) -> bool:
        """Whether lower is better."""
        return self.direction == "minimize"

    @property
    def is_fraction(self) -> bool:
        """Whether its values, or the differences that they are, are shares, shown in percent."""
        return self.high == 1

    @property
    def is_training_compute(self) -> bool:
        """Whether it counts what training has taken so far."""
        return self.grows and self.split is None

    @property
    def is_of_pruning(self) -> bool:
        """Whether it is at its best where all is pruned away: by it alone nothing is judged."""
        return self.quantity in ("density", "bytes", "latency", "speed-up")

    def cost(self, value: float) -> float:
        """``value`` such that lower is better."""
        return value if self.is_minimized else -value

    def better(self, a: float, b: float) -> bool:
        """Whether value ``a`` is strictly better than ``b``."""
        return self.cost(a) < self.cost(b)


def chance_error(num_classes: int) -> float:
    """Error rate of a guess, e_0 = 1 − 1/C: the service before the first model."""
    return 1.0 - 1.0 / num_classes


def mean_error(errors: Sequence[float]) -> float:
    """Mean of e_1 … e_T, the cumulative errors divided by T · split size."""
    return math.fsum(errors) / len(errors)


def anytime_error(errors: Sequence[float], *, chance: float) -> float:
    """∫ e(t) dt over the stream = (e_0 + e_1 + … + e_{T−1}) / T, waiting included.

    Args:
        errors: e_1 … e_T, the error rate after each megabatch.
        chance: e_0, see :func:`chance_error`.
    """
    return math.fsum([chance, *errors[:-1]]) / len(errors)


def service_error(errors: Sequence[float], *, chance: float, service_after: float = 1.0) -> float:
    """(anytime error + h·e_T) / (1 + h): the last model serves for h more units of time."""
    waiting = anytime_error(errors, chance=chance)
    return (waiting + service_after * errors[-1]) / (1.0 + service_after)


def projected_service_error(
    errors: Sequence[float],
    *,
    num_megabatches: int,
    chance: float,
    service_after: float = 1.0,
) -> float:
    """The service error if the model of megabatch k = ``len(errors)`` stayed as it is.

    Equals :func:`service_error` at k = T. What trial schedulers compare.
    """
    stays = [errors[-1]] * (num_megabatches - len(errors))
    return service_error([*errors, *stays], chance=chance, service_after=service_after)


def _of_split(split: Split) -> Iterator[Metric]:
    yield Metric(
        f"{split}_error_rate", "minimize", 0, 1, "megabatch", "error", f"error rate on {split}",
        split,
    )  # fmt: skip
    yield Metric(
        f"{split}_accuracy", "maximize", 0, 1, "megabatch", "accuracy", f"accuracy on {split}",
        split,
    )  # fmt: skip


def _of_service(split: Split) -> Iterator[Metric]:
    """Errors of what is in service, whose bare names are measured on the holdout."""
    prefix = "" if split == "holdout" else f"{split}_"

    def error(
        name: str,
        scope: Scope,
        description: str,
        uncharged: Literal["before", "after"] | None = None,
    ) -> Metric:
        return Metric(
            f"{prefix}{name}", "minimize", 0, 1, scope, "error", description, split,
            uncharged=uncharged,
        )  # fmt: skip

    yield error(
        "projected_service_error", "megabatch",
        f"service error on {split} if the model stayed as it is",
    )  # fmt: skip
    yield Metric(
        f"{prefix}cumulative_errors", "minimize", 0, math.inf, "megabatch", "errors",
        f"misclassified {split} examples summed over the megabatches so far", split, grows=True,
        uncharged="before",
    )  # fmt: skip
    yield error(
        "mean_error", "megabatch", f"cumulative errors / (megabatches so far · {split} size)",
        "before",
    )  # fmt: skip
    yield error(
        "anytime_error", "trial",
        f"mean error rate on {split} of what was in service while the stream ran", "after",
    )  # fmt: skip
    yield error("final_error", "trial", f"error rate on {split} of the last model")
    yield error(
        "service_error", "trial",
        f"mean error rate on {split} while the stream ran and for as long after",
    )  # fmt: skip


def _of_training() -> Iterator[Metric]:
    inf = math.inf
    yield Metric(
        "train_loss", "minimize", 0, inf, "epoch", "loss", "mean loss over the epoch as trained",
        "train",
    )  # fmt: skip
    yield Metric(
        "lr", "minimize", 0, inf, "epoch", "learning rate",
        "learning rate of the epoch's last step",
    )  # fmt: skip
    yield Metric(
        "generalization_gap", "minimize", -1, 1, "megabatch", "gap",
        "train accuracy as trained − validation accuracy, of the kept epoch", "validation",
    )  # fmt: skip
    yield Metric(
        "test_generalization_gap", "minimize", -1, 1, "megabatch", "gap",
        "train accuracy without augmentation − test accuracy", "test",
    )  # fmt: skip


def _of_density() -> Iterator[Metric]:
    def share(
        name: str,
        direction: Direction,
        quantity: Quantity,
        description: str,
        *,
        is_planned: bool = False,
    ) -> Metric:
        return Metric(
            name, direction, 0, 1, "megabatch", quantity, description, is_planned=is_planned
        )

    yield share("density", "minimize", "density", "kept / prunable weights", is_planned=True)
    yield share("sparsity", "maximize", "density", "1 − density", is_planned=True)
    yield share(
        "model_density", "minimize", "density", "non-zeroed / all parameters", is_planned=True
    )
    yield share(
        "effective_density", "minimize", "density",
        "weights on some path from input to output, kernel positions not told apart (at most so "
        "many) / prunable weights",
    )  # fmt: skip
    yield share(
        "mask_overlap", "maximize", "overlap",
        "kept weights shared with the previous mask / kept weights",
    )  # fmt: skip


def _of_cost() -> Iterator[Metric]:
    def cost(name: str, quantity: Quantity, description: str, *, grows: bool = False) -> Metric:
        return Metric(
            name, "minimize", 0, math.inf, "megabatch", quantity, description, grows=grows
        )

    yield cost(
        "samples_seen", "examples",
        "examples forward and backward through the network so far, to train and to score weights",
        grows=True,
    )  # fmt: skip
    yield cost("samples_scored", "examples", "of samples_seen, to score weights", grows=True)
    yield cost(
        "train_flops", "flops",
        "forward and backward FLOPs so far, of training and of scoring, counted dense",
        grows=True,
    )  # fmt: skip
    yield cost(
        "train_flops_sparse", "flops", "train_flops with each layer's scaled by its density",
        grows=True,
    )  # fmt: skip
    yield cost("forward_flops", "flops", "FLOPs of one image, dense")
    yield cost(
        "forward_flops_sparse", "flops", "forward_flops with each layer's scaled by its density"
    )
    yield cost("model_bytes", "bytes", "the network in memory, dense")
    yield cost("sparse_bytes", "bytes", "the network as a sparse file")
    yield cost("seconds", "time", "wall time of the megabatch")
    yield Metric(
        "images_per_second", "maximize", 0, math.inf, "megabatch", "throughput",
        "training throughput",
    )  # fmt: skip
    yield Metric(
        "final_density", "minimize", 0, 1, "trial", "density", "density of the last model",
        is_planned=True,
    )  # fmt: skip


class SpeedupNames(NamedTuple):
    """The metrics of what a batch takes: its time, and the speed-up with its interval's ends."""

    latency: str
    speedup: str
    low: str
    high: str


def speedup_names(batch_size: int) -> SpeedupNames:
    """The names for a batch size: bare for one image, else ``…_batch64``."""
    batch = "" if batch_size == 1 else f"_batch{batch_size}"
    speedup = f"speedup{batch}"
    return SpeedupNames(f"latency_ms{batch}", speedup, f"{speedup}_low", f"{speedup}_high")


def _of_measurement() -> Iterator[Metric]:
    inf = math.inf
    for size, images in ((1, "one image"), (64, "64 images at once")):
        names = speedup_names(size)
        yield Metric(
            names.latency, "minimize", 0, inf, "megabatch", "latency",
            f"milliseconds of an answer for {images}, the median",
        )  # fmt: skip
        for name, of in (
            (names.speedup, ""),
            (names.low, ", lower end of the 95 % interval"),
            (names.high, ", upper end of the 95 % interval"),
        ):
            yield Metric(
                name, "maximize", 0, inf, "megabatch", "speed-up",
                f"the dense network's time for {images} / this network's, in turns{of}",
            )  # fmt: skip
    yield Metric(
        "file_bytes", "minimize", 0, inf, "megabatch", "bytes",
        "the file that export writes of the network",
    )  # fmt: skip


def _all_metrics() -> Iterator[Metric]:
    for split in get_args(Split):
        yield from _of_split(split)
    yield from _of_service("holdout")
    yield from _of_service("test")
    yield from _of_training()
    yield from _of_density()
    yield from _of_cost()
    yield from _of_measurement()


METRICS: dict[str, Metric] = {metric.name: metric for metric in _all_metrics()}


def on_selection_split(metric: Metric) -> Metric:
    """The metric to select on in place of one on test: the same where it is measured on another.

    Raises:
        KeyError: ``metric`` is not measured on test.
    """
    bare = metric.name.removeprefix("test_")
    return METRICS[bare if bare in METRICS else f"holdout_{bare}"]


# What is timed of the network in service, where a study asks for it.
LATENCIES = frozenset(n for n, m in METRICS.items() if m.quantity in ("latency", "speed-up"))

# What is measured of the network in service beside its errors.
OF_NETWORK = LATENCIES | {"file_bytes"}

# What is measured on a machine: two runs of one trial may differ in it, and in nothing else.
MEASURED = OF_NETWORK | {"seconds", "images_per_second"}

# A metric of the whole trial → what stands for it while the trial runs, comparable at equal T.
RUNNING_FORMS: dict[str, str] = {
    prefix + name: prefix + running
    for prefix in ("", "test_")
    for name, running in (
        ("service_error", "projected_service_error"),
        ("anytime_error", "projected_service_error"),
        ("final_error", "error_rate"),
        ("mean_error", "mean_error"),
        ("cumulative_errors", "cumulative_errors"),
    )
} | {"final_error": "holdout_error_rate"}


def wilson_interval(rate: float, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of an error rate in [0, 1] measured on ``n`` examples.

    ``rate`` need not be a whole number of examples. For a mean of several error rates of the same
    examples, such as the service error, the interval of ``n`` examples is conservative: it takes
    the errors of the models as one and the same, and averaging can only make it narrower.

    Raises:
        ValueError: ``n`` is below 1 or ``rate`` no fraction.
    """
    if n < 1 or not 0 <= rate <= 1:
        raise ValueError(f"a rate in [0, 1] of at least one example is needed, got {rate} of {n}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    # Where the rate is 0 or 1 the bound is exact, rounding apart.
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return (0.0 if rate == 0 else low), (1.0 if rate == 1 else high)
