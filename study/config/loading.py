"""From a YAML file and ``--set`` overrides to a checked study."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from study.config.errors import ConfigError, Problem, shown, unknown_key
from study.config.sections import SECTIONS
from study.config.study import TOP_LEVEL, StudyConfig, parse_study
from study.config.trial import flatten
from study.config.yaml_io import read_yaml, read_yaml_file
from study.plugins import PluginImportError, load_builtin_plugins, load_user_plugins

_TRIAL_KEYS = (*SECTIONS, "seed")


def load_study(path: Path, *, overrides: Sequence[str] = ()) -> StudyConfig:
    """The study in the file at ``path`` with ``path=value`` overrides, plug-ins imported.

    Raises:
        ConfigError: With every problem found and the file's name.
    """
    raw = read_yaml_file(path)
    try:
        return study_from_raw(raw, overrides=overrides)
    except ConfigError as error:
        raise error.with_source(str(path)) from None


def study_from_raw(raw: Any, *, overrides: Sequence[str] = ()) -> StudyConfig:
    """The study in plain values as YAML gives them; see :func:`load_study`."""
    load_builtin_plugins()
    if raw is None:
        raise ConfigError([Problem("", "is empty; a study needs at least name and fixed")])
    if not isinstance(raw, Mapping):
        raise ConfigError([Problem("", f"must be a mapping of keys, got {shown(raw)}")])
    raw = apply_overrides(raw, overrides)
    modules = raw.get("plugins", [])
    if isinstance(modules, list | tuple) and all(isinstance(m, str) for m in modules):
        try:
            load_user_plugins(modules)
        except PluginImportError as error:
            raise ConfigError([Problem("plugins", str(error))]) from None
    return parse_study(raw)


def apply_overrides(raw: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """``raw`` with ``path=value`` applied in order; values are read as YAML.

    A trial's value (``training.lr=0.05``) becomes fixed and is no longer searched; anything else
    (``budget.trials=4``) is replaced where it stands.

    Raises:
        ConfigError: An override has no ``=`` or a path that leads nowhere.
    """
    made = dict(raw)
    for override in overrides:
        path, equals, text = override.partition("=")
        path = path.strip()
        if not equals or not path:
            raise ConfigError([Problem("--set", f"{shown(override)} is not path=value")])
        value = read_yaml(text)
        first = path.partition(".")[0]
        if first in _TRIAL_KEYS:
            made = _fix(made, path, value)
        elif first in TOP_LEVEL:
            made = _replace(made, path.split("."), value)
        else:
            known = [*_TRIAL_KEYS, *TOP_LEVEL]
            raise ConfigError([Problem(f"--set {path}", unknown_key(first, known))])
    return made


def _fix(raw: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    made = dict(raw)
    fixed = made.get("fixed") or {}
    made["fixed"] = {**(flatten(fixed) if isinstance(fixed, Mapping) else {}), path: value}
    axes = made.get("axes")
    if isinstance(axes, Mapping):
        made["axes"] = _without(flatten(axes), path)
    elif isinstance(axes, list | tuple):
        made["axes"] = [_without(flatten(g), path) if isinstance(g, Mapping) else g for g in axes]
    search = made.get("search")
    if isinstance(search, Mapping):
        search = dict(search)
        if isinstance(search.get("space"), Mapping):
            search["space"] = _without(search["space"], path)
        if isinstance(search.get("points"), list | tuple):
            search["points"] = [
                _without(flatten(p), path) if isinstance(p, Mapping) else p
                for p in search["points"]
            ]
        made["search"] = search
    return made


def _without(mapping: Mapping[str, Any], path: str) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key != path}


def _replace(raw: dict[str, Any], parts: list[str], value: Any) -> dict[str, Any]:
    made = dict(raw)
    if parts[:2] == ["search", "space"] and len(parts) > 3:
        parts = ["search", "space", ".".join(parts[2:])]
    node = made
    for part in parts[:-1]:
        inner = node.get(part)
        node[part] = dict(inner) if isinstance(inner, Mapping) else {}
        node = node[part]
    node[parts[-1]] = value
    return made
