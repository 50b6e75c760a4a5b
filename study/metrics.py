"""Metric names, directions and bounds, and the arithmetic of anytime error.

A bare name is measured on the holdout split, ``test_`` in front on the test split. All errors are
fractions in [0, 1]; time is the fraction of the stream that has arrived.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

Scope = Literal["epoch", "megabatch", "trial"]
Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class Metric:
    """One metric: what it is called, which way is better, and where its values lie."""

    name: str
    direction: Direction
    low: float
    high: float
    scope: Scope
    description: str

    @property
    def is_test(self) -> bool:
        """Whether it is measured on the test split, which nothing may be selected on."""
        return self.name.startswith("test_")

    def better(self, a: float, b: float) -> bool:
        """Whether value ``a`` is strictly better than ``b``."""
        return a < b if self.direction == "minimize" else a > b


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


def _split_metrics() -> list[Metric]:
    made = []
    for split in ("train", "validation", "holdout", "test"):
        made += [
            Metric(f"{split}_error_rate", "minimize", 0, 1, "megabatch", f"error rate on {split}"),
            Metric(f"{split}_accuracy", "maximize", 0, 1, "megabatch", f"accuracy on {split}"),
        ]
    for prefix, split in (("", "holdout"), ("test_", "test")):
        made += [
            Metric(
                f"{prefix}projected_service_error",
                "minimize",
                0,
                1,
                "megabatch",
                f"service error on {split} if the model stayed as it is",
            ),
            Metric(
                f"{prefix}cumulative_errors",
                "minimize",
                0,
                math.inf,
                "megabatch",
                f"misclassified {split} examples summed over the megabatches so far",
            ),
            Metric(
                f"{prefix}mean_error",
                "minimize",
                0,
                1,
                "megabatch",
                f"cumulative errors / (megabatches so far · {split} size)",
            ),
            Metric(
                f"{prefix}anytime_error",
                "minimize",
                0,
                1,
                "trial",
                f"mean error rate on {split} of what was in service while the stream ran",
            ),
            Metric(
                f"{prefix}final_error",
                "minimize",
                0,
                1,
                "trial",
                f"error rate on {split} of the last model",
            ),
            Metric(
                f"{prefix}service_error",
                "minimize",
                0,
                1,
                "trial",
                f"mean error rate on {split} while the stream ran and for as long after",
            ),
        ]
    return made


def _all_metrics() -> dict[str, Metric]:
    inf = math.inf
    made = [
        *_split_metrics(),
        Metric("train_loss", "minimize", 0, inf, "epoch", "mean loss over the epoch as trained"),
        Metric("lr", "minimize", 0, inf, "epoch", "learning rate of the epoch's last step"),
        Metric(
            "generalization_gap",
            "minimize",
            -1,
            1,
            "megabatch",
            "train accuracy as trained − validation accuracy, of the kept epoch",
        ),
        Metric(
            "test_generalization_gap",
            "minimize",
            -1,
            1,
            "megabatch",
            "train accuracy without augmentation − test accuracy",
        ),
        Metric("density", "minimize", 0, 1, "megabatch", "kept / prunable weights"),
        Metric("sparsity", "maximize", 0, 1, "megabatch", "1 − density"),
        Metric("model_density", "minimize", 0, 1, "megabatch", "non-zeroed / all parameters"),
        Metric(
            "effective_density",
            "minimize",
            0,
            1,
            "megabatch",
            "weights on some path from input to output / prunable weights",
        ),
        Metric(
            "mask_overlap",
            "maximize",
            0,
            1,
            "megabatch",
            "kept weights shared with the previous mask / kept weights",
        ),
        Metric("samples_seen", "minimize", 0, inf, "megabatch", "examples through SGD so far"),
        Metric(
            "train_flops",
            "minimize",
            0,
            inf,
            "megabatch",
            "forward and backward FLOPs so far, counted dense",
        ),
        Metric(
            "train_flops_sparse",
            "minimize",
            0,
            inf,
            "megabatch",
            "train_flops with each layer's scaled by its density",
        ),
        Metric("forward_flops", "minimize", 0, inf, "megabatch", "FLOPs of one image, dense"),
        Metric(
            "forward_flops_sparse",
            "minimize",
            0,
            inf,
            "megabatch",
            "forward_flops with each layer's scaled by its density",
        ),
        Metric("model_bytes", "minimize", 0, inf, "megabatch", "the network in memory, dense"),
        Metric("sparse_bytes", "minimize", 0, inf, "megabatch", "the network as a sparse file"),
        Metric("seconds", "minimize", 0, inf, "megabatch", "wall time of the megabatch"),
        Metric("images_per_second", "maximize", 0, inf, "megabatch", "training throughput"),
        Metric("final_density", "minimize", 0, 1, "trial", "density of the last model"),
    ]
    return {metric.name: metric for metric in made}


METRICS: dict[str, Metric] = _all_metrics()

# What two runs of one trial may differ in.
TIMES = frozenset({"seconds", "images_per_second"})

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
