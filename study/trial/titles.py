"""What a trial is, for people, from its recorded configuration alone."""

from collections.abc import Mapping
from typing import Any

from study.pruning.schedules import SPARSITY_BASE
from study.tracking import names


def method_of(config: Mapping[str, Any]) -> str:
    """The method's name in comparisons, of a nested resolved configuration."""
    pruning = config["pruning"]
    return f"{pruning['schedule']}{names.COMPAT_SUFFIX * bool(pruning['reference_compat'])}"


def title_of(config: Mapping[str, Any]) -> str:
    """``app d=0.20 T=8 resnet20 seed=1``, of a nested resolved configuration.

    ``T=8+2`` for one to which data came twice after the stream.
    """
    pruning = config["pruning"]
    tau, target = pruning.get("tau"), pruning.get("final_density")
    rate = pruning.get("rate")
    parts = [method_of(config)]
    if tau is not None or target is not None:
        parts.append(f"d={target if tau is None else SPARSITY_BASE**tau:.2g}")
    elif rate is not None:
        parts.append(f"rate={rate:.2g}")
    stream, model = config["stream"], config["model"]
    num_arrivals = len(config.get("data", {}).get("arrivals", ()))
    return " ".join(
        [
            *parts,
            f"T={stream['num_megabatches']}{f'+{num_arrivals}' if num_arrivals else ''}",
            model["architecture"],
            f"seed={config['seed']}",
        ]
    )
