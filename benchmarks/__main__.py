"""``python -m benchmarks [SUITE …]``: prints one table and writes it as JSON."""

import importlib
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.table import Figure, show, write
from study.config.plugins import load_builtin_plugins

SUITES = (
    "training", "scoring", "orchestration", "memory", "tracking", "reports", "search", "stopping",
    "evidence", "latency", "plan", "driver", "at_once",
)  # fmt: skip


def main(
    suites: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(SUITES)}.")] = None,
    full: Annotated[
        bool, typer.Option(help="The published sizes, which take about an hour.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("benchmarks/out.json"),
) -> None:
    """Measure, print a table of figures, and write it as JSON."""
    unknown = set(suites or []) - set(SUITES)
    if unknown:
        raise typer.BadParameter(f"no suite {', '.join(unknown)}; there are: {', '.join(SUITES)}")
    load_builtin_plugins()
    figures: list[Figure] = []
    for suite in suites or SUITES:
        found = importlib.import_module(f"benchmarks.{suite}").measure(full=full)
        show(found)
        figures += found
    write(figures, out)


if __name__ == "__main__":
    typer.run(main)
