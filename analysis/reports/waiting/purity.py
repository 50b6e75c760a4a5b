"""Whether each model of a trial depends on nothing but what has arrived."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# What a trial logs for a setting that it has not.
_NOTHING = frozenset({"", "None", "none", "null", "nan", "()", "[]"})


@dataclass(frozen=True)
class _Demand:
    """A setting that a replay needs to be so.

    Attributes:
        path: Where it is in a study file.
        value: What it has to be; empty for left out.
        default: Where it was not recorded.
        reason: What another value means, and what to take.
        of_pruning: Whether it means nothing where nothing is pruned.
    """

    path: str
    value: str
    default: str
    reason: str
    of_pruning: bool = False


_SHARED = "it is shared by all models; take training.samples_per_model or training.epochs"
_DEMANDS = (
    _Demand(
        "training.start", "scratch", "continue",
        "each model depends on the ones before it; take scratch, with training.mask: restart",
    ),
    _Demand(
        "training.mask", "restart", "keep",
        "each mask depends on the ones before it; take restart",
    ),
    _Demand("training.total_samples", "", "", _SHARED),
    _Demand("training.total_flops", "", "", _SHARED),
    _Demand("training.at", "all", "all", "the models of the other arrivals are missing; take all"),
    _Demand(
        "stream.replay", "full", "full",
        "what a model is trained on depends on when the one before it was; take full",
    ),
    _Demand(
        "saliency.source", "replayed", "replayed",
        "what is scored depends on when the model before was trained; take replayed",
        of_pruning=True,
    ),
    _Demand(
        "pruning.driver", "examples", "examples",
        "it follows the errors of the models before; take examples", of_pruning=True,
    ),
    _Demand(
        "data.arrivals", "", "", "they came after the stream; take the study before its update"
    ),
)  # fmt: skip


def obstacle(trial: "pd.Series") -> str:
    """The first setting that makes a model depend on more than what has arrived, and why.

    Empty where there is none.
    """
    for demand in _DEMANDS:
        if demand.of_pruning and trial["method"] == "dense":
            continue
        found = str(trial.get(demand.path, demand.default))
        known = demand.default if found in _NOTHING else found
        if known != demand.value:
            return f"{demand.path} is {known}: {demand.reason}"
    return ""
