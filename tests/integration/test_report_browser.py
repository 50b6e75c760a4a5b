"""The page in a real browser: `make test-browser`, which needs a Chromium."""

import json
import re
from functools import partial
from pathlib import Path

import pytest

from analysis.page.page import page, sections
from analysis.presentation import render
from analysis.reports.discovery import load_reports
from analysis.runs.study_runs import Runs
from study.results import Outcome
from tests.helpers import recorded_studies
from tests.helpers.browser import Visit, visit
from tests.helpers.fake_confirmation import confirmed_runs
from tests.helpers.fake_study import FakeTrial, runs_of, usual
from tests.helpers.page_reader import Page, agree
from tests.helpers.recorded_studies import recorded

pytestmark = pytest.mark.browser

load_reports()


def _large() -> Runs:
    methods = (("dense", 1.0), ("one_shot", 0.366), ("app", 0.366))
    trials = [
        FakeTrial(0, name, t, density, seed, architecture=model)
        for model in ("convnet", "resnet20")
        for t in (4, 8)
        for seed in range(3)
        for name, density in methods
    ]
    stopped = FakeTrial(0, "cubic", 8, 0.02, outcome=Outcome.EARLY_STOPPED, megabatches=3)
    every = [*trials, stopped]
    return runs_of(
        [
            FakeTrial(
                number,
                trial.method,
                trial.t,
                trial.density,
                trial.seed,
                trial.outcome,
                trial.megabatches,
                architecture=trial.architecture,
            )
            for number, trial in enumerate(every)
        ]
    )


STUDIES = {
    "large": _large,
    "confirmed": confirmed_runs,
    "usual": lambda: runs_of(usual()),
    "empty": lambda: runs_of([]),
    **{name: partial(recorded, name) for name in recorded_studies.NAMES},
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_opens_whole_without_an_error_and_without_the_network(
    tmp_path: Path, name: str, theme: str
) -> None:
    runs = STUDIES[name]()
    made = sections(runs)
    path = tmp_path / "index.html"
    path.write_text(page(runs, ["An answer."], made), encoding="utf-8")
    flags = ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"]
    seen = visit(path, tmp_path, *(flags if theme == "dark" else []))
    assert seen.console == []
    assert seen.requests == []
    read = Page(seen.dom)
    assert set(read.sections) == {"answer", *made, "notes", "reading"}
    for section, report in made.items():
        said = json.loads(render.render(report, render.Format.JSON))["tables"]
        agree(read.sections[section], said, report.tables)
    # Plotly draws at least one picture into each place.
    assert len(read.figures) == sum(len(report.figures) for report in made.values())
    assert read.drawn >= len(read.figures)
    # What can be saved became files of the browser's own.
    files = [address for address in read.addresses if address.startswith("blob:")]
    assert len(files) == len(read.saved) == len(set(files))


def acted_on(tmp_path: Path, script: str) -> Visit:
    """The usual study's page after a user has done what ``script`` does."""
    runs = runs_of(usual())
    text = page(runs, ["An answer."], sections(runs))
    path = tmp_path / "index.html"
    path.write_text(text.replace("</body>", f"<script>{script}</script></body>"), "utf-8")
    return visit(path, tmp_path)


@pytest.mark.timeout(300)
def test_rows_are_filtered_by_words_and_sorted_by_a_heading(tmp_path: Path) -> None:
    seen = acted_on(
        tmp_path,
        """
        const section = document.getElementById("runs");
        const field = section.querySelector("input[type=search]");
        field.value = "APP t=8";
        field.dispatchEvent(new Event("input"));
        const heading = section.querySelector("th[data-name=service_error]");
        heading.querySelector("button").click();
        const left = [...section.querySelectorAll("tbody tr")].filter((row) => !row.hidden);
        document.body.dataset.left = left.map((row) => row.cells[0].textContent).join();
        document.body.dataset.sorted = heading.getAttribute("aria-sort");
        document.body.dataset.said = section.querySelector("output").textContent;
        """,
    )
    runs = runs_of(usual()).trials
    expected = runs[(runs["method"] == "app") & (runs["stream.num_megabatches"] == 8)]
    numbers = expected.sort_values("service_error", na_position="last")["number"]
    assert seen.console == []
    assert f'data-left="{",".join(map(str, numbers))}"' in seen.dom
    assert 'data-sorted="ascending"' in seen.dom
    assert f'data-said="{len(expected)} of {len(runs)}"' in seen.dom


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["confirmed", "digits-search"])
def test_on_a_telephones_width_nothing_is_wider_than_the_screen(tmp_path: Path, name: str) -> None:
    runs = STUDIES[name]()
    text = page(runs, ["An answer."], sections(runs))
    # A window cannot be as narrow as a frame.
    frame = """<!doctype html><body><iframe style="width: 390px; height: 800px"></iframe><script>
    const frame = document.querySelector("iframe");
    frame.addEventListener("load", () => setTimeout(() => {
      const whole = frame.contentDocument.documentElement;
      const parts = [...whole.querySelectorAll("figure svg.main-svg, .scroll, section, p")];
      document.body.dataset.drawn = whole.querySelectorAll("svg.main-svg").length;
      document.body.dataset.widest = Math.max(
        whole.scrollWidth, ...parts.map((part) => part.getBoundingClientRect().right));
    }, 3000));
    frame.srcdoc = TEXT;
    </script></body>"""
    path = tmp_path / "frame.html"
    path.write_text(frame.replace("TEXT", json.dumps(text).replace("</", "<\\/")), "utf-8")
    seen = visit(path, tmp_path)
    (drawn,), (widest,) = (
        re.findall(rf'data-{name}="([\d.]+)"', seen.dom) for name in ("drawn", "widest")
    )
    assert int(drawn) > 0
    assert float(widest) <= 390


@pytest.mark.timeout(300)
def test_an_error_and_a_request_of_a_page_would_be_seen(tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text(
        '<img src="http://127.0.0.1:9/picture.png"><script>console.error("boom")</script>',
        encoding="utf-8",
    )
    seen = visit(path, tmp_path)
    assert any("boom" in line for line in seen.console)
    assert "http://127.0.0.1:9/picture.png" in seen.requests
