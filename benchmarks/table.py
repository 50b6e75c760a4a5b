"""One line a figure; a table for people and JSON for programs."""

import dataclasses
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from study import __version__


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        suite, name: What was measured.
        value: The figure, in ``unit``.
        target: What it should reach, as text; empty where there is no target.
    """

    suite: str
    name: str
    value: float
    unit: str
    target: str = ""


def machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 0,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "version": __version__,
        "commit": _commit(),
    }


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((x.partition(": ")[2] for x in lines if x.startswith("model name")), "unknown")


def _commit() -> str:
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or "unknown"


def show(figures: Sequence[Figure]) -> None:
    """Print the table."""
    table = Table("suite", "figure", "value", "unit", "target", box=None, pad_edge=False)
    for figure in figures:
        value = f"{figure.value:.3g}" if abs(figure.value) < 1000 else f"{figure.value:,.0f}"
        table.add_row(figure.suite, figure.name, value, figure.unit, figure.target)
    Console(width=120).print(table)


def write(figures: Sequence[Figure], path: Path) -> None:
    """Leave machine and figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine(), "figures": [dataclasses.asdict(f) for f in figures]}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
