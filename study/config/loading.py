"""From a YAML file and ``--set`` overrides to a checked study."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from study.config.overrides import apply_overrides
from study.config.plugins import PluginImportError, load_builtin_plugins, load_user_plugins
from study.config.problems import ConfigError, Problem
from study.config.study import parse_study, plain_study
from study.config.study_config import StudyConfig
from study.config.yaml_io import read_yaml_file
from study.models.weights_file import pinned


def load_study(path: Path, *, overrides: Sequence[str] = ()) -> StudyConfig:
    """The study in the file at ``path`` with ``path=value`` overrides, plug-ins imported.

    Raises:
        ConfigError: With every problem found and the file's name.
    """
    try:
        return study_from_raw(read_yaml_file(path), overrides=overrides)
    except ConfigError as error:
        raise error.with_source(str(path)) from None


def study_from_raw(raw: Any, *, overrides: Sequence[str] = ()) -> StudyConfig:
    """The study in plain values as YAML gives them; see :func:`load_study`.

    A plug-in that cannot be imported is the only problem reported: the names it would have brought
    are unknown without it.
    """
    load_builtin_plugins()
    raw = apply_overrides(plain_study(raw), overrides)
    modules = raw.get("plugins", [])
    if isinstance(modules, list | tuple) and all(isinstance(m, str) for m in modules):
        try:
            load_user_plugins(modules)
        except PluginImportError as error:
            raise ConfigError([Problem("plugins", str(error))]) from None
    problems: list[Problem] = []
    pinned_raw = _with_pinned_weights(raw, "", problems)
    if problems:
        raise ConfigError(problems)
    return parse_study(pinned_raw)


def _with_pinned_weights(raw: Any, at: str, problems: list[Problem]) -> Any:
    """``raw`` with every ``model.weights`` pinned to the file of now, wherever it is given."""
    if isinstance(raw, Mapping):
        if raw.get("weights_digest") or raw.get("model.weights_digest"):
            return raw  # one trial's own values, of a file that is known
        return {
            key: _with_pinned_weights(value, f"{at}.{key}" if at else str(key), problems)
            for key, value in raw.items()
        }
    if isinstance(raw, list | tuple):
        return [_with_pinned_weights(value, at, problems) for value in raw]
    if at.removesuffix(".choices").endswith("model.weights") and isinstance(raw, str) and raw:
        try:
            return pinned(raw)
        except ValueError as error:
            problems.append(Problem(at, str(error)))
    return raw
