"""Finding the reports."""

import importlib
import pkgutil


def load_reports() -> None:
    """Import every module of :mod:`analysis.reports`, so that all are registered."""
    import analysis.reports as package

    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
