"""What a trial is, for people, from its recorded configuration alone."""

import collections
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePath
from typing import Any

from study.comparisons import PLACES_OF_DATA
from study.pruning.schedules import SPARSITY_BASE
from study.text import printable
from study.tracking import names

# In every title.
_ALWAYS = frozenset(
    {
        "pruning.schedule",
        "pruning.reference_compat",
        "stream.num_megabatches",
        "model.architecture",
        "seed",
    }
)
# Where the data lies is no part of what a trial is; arrivals are counted beside T.
_NEVER = frozenset({*PLACES_OF_DATA, "data.arrivals", "model.weights_digest"})
_WEIGHTS = "model.weights"
# Settings whose value is understood without their name.
_PLAIN = frozenset(
    {
        "data.dataset",
        "pruning.criterion",
        "pruning.allocation",
        "pruning.granularity",
        "training.precision",
    }
)
# Said of what is pruned, in any case where they are something else.
_UNSAID = {"pruning.granularity": "weight"}


def method_of(config: Mapping[str, Any]) -> str:
    """The method's name in comparisons, of a nested resolved configuration."""
    pruning = config["pruning"]
    return f"{pruning['schedule']}{names.COMPAT_SUFFIX * bool(pruning['reference_compat'])}"


def title_of(config: Mapping[str, Any], varied: Collection[str] = ()) -> str:
    """``app d=0.2 T=8 resnet20 seed=1``, of a nested resolved configuration.

    ``T=8+2`` for one to which data came twice after the stream. What else the trials of its study
    differ in stands before the seed: ``app d=0.2 T=8 resnet20 snip lr=0.05 seed=1``.

    Args:
        config: The trial's.
        varied: Dotted paths in which the study's trials may differ.
    """
    target, shown = _target(config["pruning"], varied)
    stream, model = config["stream"], config["model"]
    num_arrivals = len(config.get("data", {}).get("arrivals", ()))
    left = [path for path in varied if path not in _ALWAYS | _NEVER | shown]
    left += [path for path in _unusual(config) if path not in left]
    return " ".join(
        [
            method_of(config),
            *target,
            f"T={stream['num_megabatches']}{f'+{num_arrivals}' if num_arrivals else ''}",
            model["architecture"],
            *(_weights(model) if _WEIGHTS in varied else ()),
            *_settings(config, left),
            f"seed={config['seed']}",
        ]
    )


def _weights(model: Mapping[str, Any]) -> Iterator[str]:
    """The file and how its digest begins: two in different folders may share a name."""
    if model.get("weights"):
        name = PurePath(model["weights"]).name
        yield printable(f"weights={name}@{model['weights_digest'][:6]}")


def _unusual(config: Mapping[str, Any]) -> Iterator[str]:
    if config["pruning"]["schedule"] == "dense":
        return
    for path, usual in _UNSAID.items():
        section, _, key = path.partition(".")
        # Trials that were recorded before the setting existed are as usual.
        if config[section].get(key, usual) != usual:
            yield path


def _target(
    pruning: Mapping[str, Any], varied: Collection[str]
) -> tuple[list[str], frozenset[str]]:
    """How much is pruned, in two digits, or in four where trials differ in it; and by what."""
    tau, density, rate = (pruning.get(name) for name in ("tau", "final_density", "rate"))
    if tau is not None or density is not None:
        value, name = density if tau is None else SPARSITY_BASE**tau, "d"
        paths = frozenset({"pruning.tau", "pruning.final_density"})
    elif rate is not None:
        value, name, paths = rate, "rate", frozenset({"pruning.rate"})
    else:
        return [], frozenset()
    digits = 4 if paths & set(varied) else 2
    return [f"{name}={value:.{digits}g}"], paths


def _settings(config: Mapping[str, Any], paths: Collection[str]) -> Iterator[str]:
    """Each setting that the trial has: ``snip``, ``lr=0.05``."""
    ends = collections.Counter(key for part in config.values() for key in _keys(part))
    for path in paths:
        section, _, key = path.partition(".")
        value = config[section].get(key)
        if value is None:
            continue
        # Where two settings end alike, or like the seed, the whole path is needed.
        name = path if ends[key] > 1 or key in config else key
        yield printable(_shown(value) if path in _PLAIN else f"{name}={_shown(value)}")


def _keys(part: Any) -> Collection[str]:
    return part.keys() if isinstance(part, Mapping) else ()


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ",".join(map(_shown, value)) or "none"
    return " ".join(str(value).split())
