"""YAML in and out: safe, and without the traps that silently change what a user wrote."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from study.config.errors import ConfigError, Problem, shown

MAX_BYTES = 1_000_000
MAX_ALIASES = 100
_TAG = "tag:yaml.org,2002:"
_FLOAT = re.compile(r"^[-+]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)([eE][-+]?\d+)?$")
_INT = re.compile(r"^[-+]?\d[\d_]*$")


class _Loader(yaml.SafeLoader):
    """Safe YAML: ``1e-3`` is a number, ``off`` and ``no`` are text, and keys are unique."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own class attribute
        first: [
            (tag, pattern)
            for tag, pattern in resolvers
            if tag not in (f"{_TAG}float", f"{_TAG}int", f"{_TAG}bool", f"{_TAG}timestamp")
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[object, int] = {}
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise ConfigError([Problem("", f"line {line}: the key {shown(key)} is not text")])
            if key in seen:
                raise ConfigError(
                    [
                        Problem(
                            "",
                            f"line {line}: the key {shown(key)} was already given in line "
                            f"{seen[key]}; keep one of them",
                        )
                    ]
                )
            seen[key] = line
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile("^(true|false|True|False)$"), list("tTfF"))
_Loader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+.0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}int", _INT, list("-+0123456789"))
# The last resolver that matches is not the one PyYAML takes: integers come before floats.
for _first in "-+0123456789":
    _Loader.yaml_implicit_resolvers[_first].reverse()


def read_yaml(text: str) -> Any:
    """The value of a YAML document.

    Raises:
        ConfigError: It is no YAML, repeats a key, or is built to explode when its aliases expand.
    """
    if text.count("*") > MAX_ALIASES and text.count("&") > 1:
        aliases = sum(isinstance(token, yaml.AliasToken) for token in _tokens(text))
        if aliases > MAX_ALIASES:
            raise ConfigError([Problem("", f"{aliases} aliases; at most {MAX_ALIASES} are read")])
    try:
        return yaml.load(text, Loader=_Loader)  # _Loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError([Problem("", f"{where}not YAML: {error.problem}")]) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        first_line = (str(error).splitlines() or ["nested too deeply"])[0]
        raise ConfigError([Problem("", f"not YAML: {first_line}")]) from None


def _tokens(text: str) -> list[object]:
    try:
        return list(yaml.scan(text, Loader=_Loader))
    except yaml.YAMLError:
        return []  # read_yaml says what is wrong


def read_yaml_file(path: Path) -> Any:
    """The value of the YAML file at ``path``.

    Raises:
        ConfigError: It is missing, not text, too large, or no YAML.
    """
    try:
        if path.is_dir():
            raise ConfigError([Problem("", "is a folder; give the path of a YAML file")])
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError([Problem("", "there is no such file")], source=str(path)) from None
    except OSError as error:
        raise ConfigError(
            [Problem("", f"cannot be read: {error.strerror}")], source=str(path)
        ) from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(
            [Problem("", f"larger than {MAX_BYTES:,} bytes: is it a study file?")],
            source=str(path),
        )
    try:
        return read_yaml(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise ConfigError(
            [Problem("", "is not text (UTF-8): is it a study file?")], source=str(path)
        ) from None
    except ConfigError as error:
        raise error.with_source(str(path)) from None


def write_yaml(value: object) -> str:
    """YAML text that :func:`read_yaml` reads back to an equal value."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=99)


class _Dumper(yaml.SafeDumper):
    """Quotes what the loader would take for a number, and writes tuples as lists."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # PyYAML's signature
        return True


def _represent_float(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    text = repr(value)
    if "." not in text and "e" not in text:
        text += ".0"
    return dumper.represent_scalar(f"{_TAG}float", text)


def _represent_tuple(dumper: yaml.SafeDumper, value: tuple[object, ...]) -> yaml.SequenceNode:
    return dumper.represent_sequence(f"{_TAG}seq", list(value), flow_style=True)


_Dumper.add_representer(float, _represent_float)
_Dumper.add_representer(tuple, _represent_tuple)
