"""What docstrings say of a class and its settings, for help, listings and schemas."""

import inspect
import re

_ENTRY = re.compile(r"(\w+): (.*)")


def summary(cls: type) -> str:
    """The first line of a class's docstring; empty without one."""
    return next(iter((inspect.getdoc(cls) or "").splitlines()), "")


def attribute_docs(cls: type) -> dict[str, str]:
    """Attribute → its sentence, from the ``Attributes:`` of the docstrings of a class.

    Those of the classes that it extends are included.
    """
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        found |= _attributes(base.__doc__ or "")
    return found


def _attributes(docstring: str) -> dict[str, str]:
    lines = iter(inspect.cleandoc(docstring).splitlines())
    found: dict[str, str] = {}
    name = None
    if not any(line == "Attributes:" for line in lines):
        return found
    for line in lines:
        if line and not line.startswith(" "):
            break
        entry = _ENTRY.fullmatch(line.removeprefix("    "))
        if entry and line.startswith("    ") and not line.startswith("     "):
            name = entry[1]
            found[name] = entry[2]
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return found
