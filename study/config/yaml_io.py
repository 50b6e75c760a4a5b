"""YAML in and out: safe, and without the traps that silently change what a user wrote."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from study.config.problems import ConfigError, Problem, shown

MAX_BYTES = 250_000
MAX_DEPTH = 50
MAX_NODES = 100_000  # once aliases are expanded
_TAG = "tag:yaml.org,2002:"
_TRAPS = ("float", "int", "bool", "timestamp", "merge", "value")
_FLOAT = re.compile(
    r"^[-+]?(\d[\d_]*\.[\d_]*|\.\d[\d_]*)([eE][-+]?\d+)?$|^[-+]?\d[\d_]*[eE][-+]?\d+$"
)
_INT = re.compile(r"^[-+]?(0|[1-9][\d_]*)$")  # 010 is text: YAML 1.1 would read eight


# What no text of a study has any use for: it would end paths early, steer terminals, or show
# something else than it holds (lone surrogates; line separators; bidirectional overrides).
_STEERING = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\ud800-\\udfff"
    "\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff]"
)


class _Loader(yaml.SafeLoader):
    """Safe YAML: ``1e-3`` is a number, ``off`` and ``no`` are text, and keys are unique.

    There are no tags, and no text holds characters that steer what shows it.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own class attribute
        first: [
            (tag, pattern) for tag, pattern in resolvers if tag.removeprefix(_TAG) not in _TRAPS
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs lack it
        tag = getattr(event, "tag", None)
        if tag:
            name = shown(tag.removeprefix(_TAG))
            raise _refused(
                event.start_mark, f"not YAML that is read here: the tag {name}; leave it out"
            )
        node = super().compose_node(parent, index)
        if isinstance(node, yaml.ScalarNode) and (found := _STEERING.search(node.value)):
            raise _refused(
                node.start_mark,
                f"a text holds the character U+{ord(found[0]):04X}, which is not shown but steers "
                f"what shows it; remove it",
            )
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[object, int] = {}
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise ConfigError(
                    [Problem("", f"line {line}: the key {shown(key)} is not text; quote it")]
                )
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


def _refused(mark: Any, message: str) -> ConfigError:
    return ConfigError([Problem("", f"line {mark.line + 1}: {message}")])


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
    if len(text) > MAX_BYTES:
        raise ConfigError([Problem("", f"longer than {MAX_BYTES:,} characters; write less")])
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _measure(node, {})
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except ConfigError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        message = f"{where}not YAML: {error.problem}; mend it there, or quote the text"
        raise ConfigError([Problem("", message)]) from None
    except RecursionError:
        raise ConfigError([_too_deep()]) from None
    except (yaml.YAMLError, ValueError) as error:
        first_line = (str(error).splitlines() or ["it cannot be read"])[0]
        raise ConfigError([Problem("", f"not YAML: {first_line}")]) from None


def _measure(node: yaml.Node, known: dict[int, tuple[int, int] | None]) -> tuple[int, int]:
    """Nodes and levels of a document once its aliases are expanded, without expanding them."""
    if id(node) in known:
        size = known[id(node)]
        if size is None:
            raise ConfigError([Problem("", f"{_line(node)}: contains itself; remove the alias")])
        return size
    known[id(node)] = None
    num_nodes, depth = 1, 1
    for child in _children(node):
        child_nodes, child_depth = _measure(child, known)
        num_nodes, depth = num_nodes + child_nodes, max(depth, child_depth + 1)
    if depth > MAX_DEPTH:
        raise ConfigError([_too_deep()])
    if num_nodes > MAX_NODES:
        raise ConfigError(
            [
                Problem(
                    "",
                    f"{_line(node)}: more than {MAX_NODES:,} values once aliases are expanded; "
                    f"write fewer",
                )
            ]
        )
    known[id(node)] = num_nodes, depth
    return num_nodes, depth


def _too_deep() -> Problem:
    return Problem("", f"nested more than {MAX_DEPTH} levels deep; a study needs five")


def _line(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def read_yaml_file(path: Path) -> Any:
    """The value of the YAML file at ``path``.

    Raises:
        ConfigError: It is missing, not text, too large, or no YAML.
    """
    try:
        if path.is_dir():
            raise ConfigError(
                [Problem("", "is a folder; give the path of a YAML file")], source=str(path)
            )
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(
            [Problem("", "there is no such file; check the path")], source=str(path)
        ) from None
    except OSError as error:
        raise ConfigError(
            [Problem("", f"cannot be read: {error.strerror}; check the path and its rights")],
            source=str(path),
        ) from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(
            [Problem("", f"larger than {MAX_BYTES:,} bytes; give a study file (YAML)")],
            source=str(path),
        )
    try:
        return read_yaml(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise ConfigError(
            [Problem("", "is not text (UTF-8); give a study file (YAML)")], source=str(path)
        ) from None
    except ConfigError as error:
        raise error.with_source(str(path)) from None


def write_yaml(value: object, *, width: float = 99) -> str:
    """YAML text that :func:`read_yaml` reads back to an equal value, in lines of ``width``."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width)


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
