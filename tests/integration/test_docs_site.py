"""The documentation as a site: it builds without a warning, and asks nobody for anything."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from study.config.plugins import load_builtin_plugins
from study.metrics import METRICS
from study.pruning.scoring import CRITERIA
from tests.helpers.browser import visit

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [
            sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going",
            "--builder", "html", "--doctree-dir", str(folder / "doctrees"),
            "docs", str(folder / "html"),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.mark.timeout(900)
def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]+src=\"([^\"]+)\"", text)
        loaded += re.findall(r"<link(?![^>]*rel=\"(?:canonical)\")[^>]+href=\"([^\"]+)\"", text)
        assert [url for url in loaded if url.startswith(("http:", "https:", "//"))] == [], page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", style.read_text(encoding="utf-8")), style


@pytest.mark.timeout(900)
def test_the_reference_has_every_criterion_metric_and_command(site: Path) -> None:
    def text(name: str) -> str:
        return re.sub(r"<[^>]+>", "", (site / "reference" / name).read_text(encoding="utf-8"))

    load_builtin_plugins()
    # A study of another test may have brought a criterion of its own.
    ours = [name for name in CRITERIA if CRITERIA.get(name).__module__.startswith("study.")]
    assert "synflow" in ours
    assert [name for name in ours if name not in text("plugins.html")] == []
    assert [name for name in METRICS if name not in text("metrics.html")] == []
    assert "app-report export" in text("commands.html")
    assert "--max-density" in text("commands.html")
    assert "training.total_samples" in text("settings.html")
    assert "search_spaces/quickstart.yaml" in text("examples.html")


@pytest.mark.browser
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", ["index.html", "tutorials/own_images.html", "reference/api.html"])
def test_a_page_opens_without_an_error_and_without_the_network(
    site: Path, tmp_path: Path, page: str
) -> None:
    seen = visit(site / page, tmp_path)
    assert seen.console == []
    assert seen.requests == []


@pytest.mark.browser
@pytest.mark.timeout(900)
def test_it_is_searched_from_files_alone(site: Path, tmp_path: Path) -> None:
    seen = visit(site / "search.html", tmp_path, query="q=synflow")
    assert seen.console == []
    assert seen.requests == []
    assert "reference/plugins.html" in seen.dom
    assert re.search(r"found \d+ pages", seen.dom)
