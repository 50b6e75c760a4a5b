"""The page: one self-contained HTML file with the answer and every report."""

import base64
import json
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    environment.filters["file_of"] = _file_of
    environment.filters["packed"] = _packed
    drawn = {f.name: thinned(f) for section in made.values() for f in section.figures}
    return environment.get_template("page.html.j2").render(
        study=runs.study,
        num_trials=len(runs.trials),
        objectives=[label(name) for name in runs.study.objectives],
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
        figure_csv=render.figure_csv,
        table_csv=render.table_csv,
        style=(_HERE / "page.css").read_text(encoding="utf-8"),
        script=(_HERE / "page.js").read_text(encoding="utf-8"),
        plotly=get_plotlyjs() if drawn else "",
    )


def _pages_of_trials(runs: "Runs") -> dict[int, str]:
    """Number of a trial → its run's page in MLflow, where that is on the web."""
    pairs = zip(runs.trials["number"], runs.trials["run_url"], strict=True)
    return {int(number): url for number, url in pairs if url}


def _file_of(text: str) -> str:
    """A text as an address that a link can save, without asking anybody for it."""
    return "data:text/csv;base64," + base64.b64encode(text.encode()).decode()


def _packed(text: str) -> str:
    """A text as the page's script unpacks it: deflated, in base 85, a comma after its length.

    In base 85 it is a sixteenth shorter than in base 64. Signs that mean something in HTML are
    exchanged for others.
    """
    deflated = zlib.compress(text.encode(), level=9)
    whole = deflated + bytes(-len(deflated) % 4)
    digits = base64.b85encode(whole).translate(bytes.maketrans(b"<>&", b"[]."))
    return f"{len(deflated)},{digits.decode()}"


def _drawings(figure: Any) -> dict[str, Any]:
    from analysis.figures.drawing import DARK, LIGHT, draw

    return {
        name: json.loads(draw(figure, theme).to_json())
        for name, theme in (("light", LIGHT), ("dark", DARK))
    }
