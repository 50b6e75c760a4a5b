"""What a cluster's nodes are sent: our code and the user's plug-ins, as Ray's runtime environment.

What is installed (torch, Ray, packages of others) must be on the nodes already.
"""

import json
import os
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import study
from study.errors import StudyError

_JOB_CONFIG = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # set by `ray job submit`
_NO_CODE = [".?*", "__pycache__", "app-studies", "mlruns", "mlflow.db"]


def code_environment(plugins: Sequence[str], variables: Mapping[str, str]) -> dict[str, Any]:
    """Ray's ``runtime_env`` for the workers of a study.

    What a submitted job's own environment sets is left out: Ray refuses to have it set twice.

    Args:
        plugins: Names of the user's modules, imported already.
        variables: Environment variables that workers need.

    Raises:
        StudyError: A plug-in's code cannot be sent.
    """
    packages = [Path(study.__file__).parent, *map(_code_of, _own(plugins))]
    environment: dict[str, Any] = {
        "py_modules": [str(path) for path in dict.fromkeys(packages)],
        "excludes": _NO_CODE,
    }
    jobs = json.loads(os.environ.get(_JOB_CONFIG) or "{}").get("runtime_env") or {}
    taken = jobs.get("env_vars") or {}
    environment["env_vars"] = {k: v for k, v in variables.items() if k not in taken}
    return {k: v for k, v in environment.items() if k == "env_vars" or k not in jobs}


def _own(plugins: Sequence[str]) -> list[ModuleType]:
    """The top-level packages of plug-ins that are not installed ones."""
    tops = [sys.modules[top] for top in dict.fromkeys(p.partition(".")[0] for p in plugins)]
    installed = [
        Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")
    ]
    return [
        module
        for module in tops
        if not any(_code_of(module).is_relative_to(folder) for folder in installed)
    ]


def _code_of(module: ModuleType) -> Path:
    """The folder of a package, or the file of a module."""
    if module.__name__ == study.__name__:
        return Path(study.__file__).parent
    folders = list(getattr(module, "__path__", []))
    if len(folders) == 1:
        return Path(folders[0]).resolve()
    if not folders and module.__file__ and module.__file__.endswith(".py"):
        return Path(module.__file__).resolve()
    raise StudyError(
        f"plugins: the code of {module.__name__!r} cannot be sent to the cluster: it is "
        f"{'in several folders' if folders else 'no Python file'}; install it on every node"
    )
