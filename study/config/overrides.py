"""``--set path=value``: one value of a study, given on the command line."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from study.config.problems import MAX_PATH_LENGTH, ConfigError, Problem, shown, unknown_key
from study.config.sections import SECTIONS
from study.config.study_config import TOP_LEVEL
from study.config.trial import flatten
from study.config.yaml_io import read_yaml
from study.metrics import LATENCIES

_TRIAL_KEYS = (*SECTIONS, "seed")
# The keys below these are dotted paths.
_OF_PATHS = (("axes",), ("search", "space"))


def apply_overrides(raw: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """``raw`` with ``path=value`` applied in order; values are read as YAML.

    A trial's value (``training.lr=0.05``) becomes fixed and is no longer searched; anything else
    (``budget.trials=4``) is replaced where it stands. A study of which all that it searches has
    become fixed is one trial, and no search.

    Raises:
        ConfigError: An override has no ``=``, a path that leads nowhere, or no value of YAML; all
            of them are reported.
    """
    made = dict(raw)
    problems: list[Problem] = []
    for override in overrides:
        try:
            made = _apply(made, override)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return _without_search(made) if _space(raw) and _space(made) == {} else made


def _space(raw: Mapping[str, Any]) -> Any:
    search = raw.get("search")
    return search.get("space") if isinstance(search, Mapping) else None


def _without_search(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A study without its search and what only a search has.

    A latency that only a constraint has asked for is still measured.
    """
    made = {key: value for key, value in raw.items() if key not in ("search", "confirm")}
    if isinstance(budget := made.get("budget"), Mapping):
        made["budget"] = {key: value for key, value in budget.items() if key != "trials"}
    if isinstance(objective := made.get("objective"), Mapping):
        made["objective"] = {k: value for k, value in objective.items() if k != "constraints"}
        tracking = made.get("tracking", {})
        is_open = isinstance(tracking, Mapping) and tracking.get("log_latency", "auto") == "auto"
        if is_open and _ask_for_latency(objective.get("constraints")):
            made["tracking"] = {**tracking, "log_latency": "final"}
    return made


def _ask_for_latency(constraints: Any) -> bool:
    if not isinstance(constraints, list | tuple):
        return False
    names = {re.split("[<>= ]", str(text).strip(), maxsplit=1)[0] for text in constraints}
    return not LATENCIES.isdisjoint(names)


def _apply(raw: dict[str, Any], override: str) -> dict[str, Any]:
    path, equals, text = override.partition("=")
    path = path.strip().removeprefix("fixed.")
    if not equals or not path:
        message = f"{shown(override)} is not PATH=VALUE; write e.g. training.lr=0.05"
        raise ConfigError([Problem("--set", message)])
    if len(path) > MAX_PATH_LENGTH:
        message = f"{shown(path)} is no path: longer than {MAX_PATH_LENGTH} characters"
        raise ConfigError([Problem("--set", message)])
    where = f"--set {path}"
    try:
        value = read_yaml(text)
    except ConfigError as error:
        raise ConfigError([Problem(where, p.message) for p in error.problems]) from None
    first = path.partition(".")[0]
    if first in _TRIAL_KEYS:
        return _fix(raw, path, value)
    if first in TOP_LEVEL:
        return _replace(raw, path, value)
    raise ConfigError([Problem(where, unknown_key(first, [*_TRIAL_KEYS, *TOP_LEVEL]))])


def _fix(raw: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    made = dict(raw)
    fixed = made.get("fixed")
    if fixed is None or isinstance(fixed, Mapping):
        made["fixed"] = {**flatten(fixed or {}), path: value}
    if "axes" in made:
        axes = _without(made["axes"], path)
        made["axes"] = axes
        if axes in ({}, []):
            del made["axes"]
    search = made.get("search")
    if isinstance(search, Mapping):
        search = dict(search)
        space = search.get("space")
        if isinstance(space, Mapping):
            search["space"] = {key: v for key, v in space.items() if key != path}
        if "points" in search:
            search["points"] = _without(search["points"], path)
        made["search"] = search
    return made


def _without(values: Any, path: str) -> Any:
    """A mapping of paths, or a list of them, without ``path``; anything else as it is."""
    if isinstance(values, list | tuple):
        return [_without(item, path) for item in values]
    if not isinstance(values, Mapping):
        return values
    return {key: value for key, value in flatten(values).items() if key != path}


def _replace(raw: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    parts = path.split(".")
    for prefix in _OF_PATHS:
        depth = len(prefix)
        if tuple(parts[:depth]) == prefix and len(parts) > depth:
            parts = [*prefix, ".".join(parts[depth:])]
    made = dict(raw)
    node = made
    for depth, part in enumerate(parts[:-1], start=1):
        inner = node.get(part, {})
        if inner is not None and not isinstance(inner, Mapping):
            whole = ".".join(parts[:depth])
            message = f"{whole} has no keys of its own: it is {shown(inner)}; set {whole} whole"
            raise ConfigError([Problem(f"--set {path}", message)])
        node[part] = dict(inner or {})
        node = node[part]
    node[parts[-1]] = value
    return made
