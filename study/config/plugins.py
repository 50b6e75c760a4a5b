"""Finding plug-ins: our own by walking the packages, the user's by the names in the YAML."""

import importlib
import pkgutil
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import study.data
import study.data.sources
import study.models
import study.pruning
import study.pruning.granularity
from study.errors import UserError

_PACKAGES = (
    study.data,
    study.data.sources,
    study.models,
    study.pruning,
    study.pruning.granularity,
)


class PluginImportError(UserError, ValueError):
    """A module named under ``plugins`` that cannot be imported."""


def load_builtin_plugins() -> None:
    """Import every module of the packages that hold plug-ins, so that all are registered."""
    for package in _PACKAGES:
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)


def load_user_plugins(modules: Sequence[str]) -> None:
    """Import the user's own modules, from the working directory or wherever Python finds them.

    Raises:
        PluginImportError: Modules are missing or fail while they are imported; all are named.
    """
    if not modules:
        return
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    failures = []
    for name in modules:
        if not all(part.isidentifier() for part in name.split(".")):
            failures.append(
                f"{name[:80]!r} is not a module name; write e.g. my_lab.criteria for the file "
                f"my_lab/criteria.py"
            )
            continue
        try:
            importlib.import_module(name)
        except (
            Exception,
            SystemExit,
        ) as error:  # a plug-in is foreign code and may raise anything
            failures.append(_failure(name, error, here))
    if failures:
        raise PluginImportError("; ".join(failures))


def _failure(name: str, error: BaseException, here: str) -> str:
    if (
        isinstance(error, ModuleNotFoundError)
        and error.name
        and f"{name}.".startswith(f"{error.name}.")
    ):
        return f"there is no module {error.name!r} in {here} or on PYTHONPATH"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "importlib" not in frame.filename]
    place = f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
    if isinstance(error, SyntaxError) and error.filename:
        place = f" ({error.filename}, line {error.lineno})"
    message = getattr(error, "msg", None) or str(error)
    return (
        f"importing {name!r} failed with {type(error).__name__}: {message}{place}; mend it there"
    )
