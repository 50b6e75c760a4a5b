"""The page: one self-contained HTML file with the answer and every report."""

import json
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import ReportError
from analysis.figures.thinning import thinned
from analysis.presentation import render
from analysis.presentation.report import REPORTS, ReportSection
from analysis.reports.discovery import load_reports
from analysis.wording import label
from study.files import atomic_write
from study.metrics import METRICS

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs

_HERE = Path(__file__).parent
# Every sign that is seen, but for those that mean something in HTML.
_DIGITS = np.array([sign for sign in range(33, 127) if chr(sign) not in "<>&"], dtype=np.uint8)
_PLACES = 2 ** np.arange(12, -1, -1, dtype=np.uint16)
_EXPLAINED = (
    "service_error",
    "final_error",
    "anytime_error",
    "final_density",
    "generalization_gap",
    "samples_seen",
)


@dataclass(frozen=True)
class WrittenReport:
    """A report on disk, and what it says in short."""

    page: Path
    sentences: tuple[str, ...]


def write_report(*studies: str, tracking_uri: str, out: Path) -> WrittenReport:
    """Write the page of ``studies``, taken as one, to ``out``/index.html, creating the folder.

    Raises:
        ReportError: A study cannot be read, or the page not be written.
    """
    from analysis.runs.several_studies import load_all

    return write_page(load_all(studies, tracking_uri=tracking_uri), out)


def write_page(runs: "Runs", out: Path, *, every: int | None = None) -> WrittenReport:
    """Write the page of ``runs`` to ``out``/index.html, creating the folder.

    Args:
        runs: The study.
        out: The folder.
        every: In how many seconds it will be written anew, so that it reloads itself; None where
            it is not.

    Raises:
        ReportError: It cannot be written.
    """
    from analysis.page.answer import answer

    sentences = answer(runs)
    text = page(runs, sentences, sections(runs), every=every)
    target = out / "index.html"
    try:
        out.mkdir(parents=True, exist_ok=True)
        # Whoever reads the old page while the new one is written sees a whole one.
        atomic_write(target, text.encode())
    except OSError as error:
        raise ReportError(
            f"the report cannot be written to {target}: {error.strerror}; choose another folder "
            f"with --out"
        ) from error
    return WrittenReport(target, sentences)


def sections(runs: "Runs") -> dict[str, ReportSection]:
    """Every registered report that is for the study, with its defaults, in the page's order."""
    load_reports()
    fitting = [name for name in REPORTS if REPORTS.get(name).is_for(runs)]
    ordered = sorted(fitting, key=lambda name: (REPORTS.get(name).position, name))
    return {name: REPORTS.get(name)().build(runs) for name in ordered}


def page(
    runs: "Runs",
    sentences: Sequence[str],
    made: dict[str, ReportSection],
    *,
    every: int | None = None,
) -> str:
    """The whole page as HTML that asks nothing of the network."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = render.shown
    environment.filters["packed"] = _packed
    drawn = {f.name: thinned(f) for section in made.values() for f in section.figures}
    return environment.get_template("page.html.j2").render(
        study=runs.study,
        num_trials=len(runs.trials),
        objectives=[label(name) for name in runs.searched_for],
        sentences=sentences,
        sections=made,
        captions={name: figure.caption for name, figure in drawn.items()},
        drawings={name: _drawings(figure) for name, figure in drawn.items()},
        notes=runs.notes,
        pages=_pages_of_trials(runs),
        every=every,
        written_at=int(time.time()),
        explained={label(name): METRICS[name].description for name in _EXPLAINED},
        is_numeric=render.is_numeric,
        files=_files(made),
        style=(_HERE / "page.css").read_text(encoding="utf-8"),
        script=(_HERE / "page.js").read_text(encoding="utf-8"),
        plotly=get_plotlyjs() if drawn else "",
    )


def _pages_of_trials(runs: "Runs") -> dict[int, str]:
    """Number of a trial → its run's page in MLflow, where that is on the web."""
    pairs = zip(runs.trials["number"], runs.trials["run_url"], strict=True)
    return {int(number): url for number, url in pairs if url}


def _files(made: dict[str, ReportSection]) -> dict[str, str]:
    """What can be saved, by the name of its file: the data of every figure and table."""
    files: dict[str, str] = {}
    for name, section in made.items():
        files |= {f"{f.name}.csv": render.figure_csv(f) for f in section.figures}
        for index, table in enumerate((t for t in section.tables if t.rows), start=1):
            files[f"{name}-table-{index}.csv"] = render.table_csv(table)
    return files


def _packed(text: str) -> str:
    """A text as the page's script unpacks it: deflated, in base 91, a comma after its length.

    Two digits hold 13 bits, so that it is a fifteenth shorter than in base 64.
    """
    deflated = zlib.compress(text.encode(), level=9)
    bits = np.unpackbits(np.frombuffer(deflated, np.uint8))
    words = np.pad(bits, (0, -len(bits) % 13)).reshape(-1, 13) @ _PLACES
    digits = np.stack(np.divmod(words, len(_DIGITS)), axis=1)
    return f"{len(deflated)},{_DIGITS[digits].tobytes().decode()}"


def _drawings(figure: Any) -> dict[str, Any]:
    from analysis.figures.drawing import DARK, LIGHT, draw

    return {
        name: json.loads(draw(figure, theme).to_json())
        for name, theme in (("light", LIGHT), ("dark", DARK))
    }
