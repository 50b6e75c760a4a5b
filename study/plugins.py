"""Finding plug-ins: our own by walking the packages, the user's by the names in the YAML."""

import importlib
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path

import study.data
import study.models
import study.pruning

_PACKAGES = (study.data, study.models, study.pruning)


class PluginImportError(ValueError):
    """A module named under ``plugins`` that cannot be imported."""


def load_builtin_plugins() -> None:
    """Import every module of the packages that hold plug-ins, so that all are registered."""
    for package in _PACKAGES:
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)


def load_user_plugins(modules: Sequence[str]) -> None:
    """Import the user's own modules, from the working directory or wherever Python finds them.

    Raises:
        PluginImportError: A module is missing or fails while it is imported.
    """
    if not modules:
        return
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # a plug-in is foreign code and may raise anything
            raise PluginImportError(
                f"cannot import {name!r}: {type(error).__name__}: {error}; it is looked for in "
                f"{here} and on PYTHONPATH"
            ) from error
