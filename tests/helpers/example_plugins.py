"""The plug-ins of examples/, registered while a test lasts."""

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from study.registry import Registry

EXAMPLES = Path(__file__).parents[2] / "examples"


@contextlib.contextmanager
def registered(module: str, registry: Registry[Any], name: str) -> Iterator[Any]:
    """The class that ``examples/MODULE.py`` registers; other tests find our own plug-ins alone."""
    dotted = f"examples.{module}"
    importlib.import_module(dotted)
    yield registry.get(name)
    del registry._classes[name]
    del sys.modules[dotted]
