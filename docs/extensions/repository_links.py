"""Links to files of the repository, which on the site are pages, files to save, or a list.

The sources are read on a code host too, where a link names the file from where it stands.
"""

import posixpath
import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
# File or folder of the repository → the page that shows it.
PAGES = {
    "README.md": "docs/index.md",
    "CONTRIBUTING.md": "docs/contributing.md",
    "docs/search.md": "docs/searching.md",
    "benchmarks/README.md": "docs/benchmarks.md",
    "search_spaces": "docs/reference/examples.md",
    "search_spaces/paper": "docs/reference/examples.md",
}
_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def rewritten(text: str, *, written_in: str, shown_in: str) -> str:
    """The links of a text that stands in one folder and is shown on a page in another.

    Both folders are relative to the top of the repository.
    """

    def link(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(written_in, match.group(1)))
        shown = posixpath.relpath(PAGES.get(target, target), shown_in)
        return f"]({shown}{match.group(2) or ''})"

    return _LINK.sub(link, text)


def _read(_: Sphinx, page: str, source: list[str]) -> None:
    folder = posixpath.join("docs", posixpath.dirname(page)).rstrip("/")
    source[0] = rewritten(source[0], written_in=folder, shown_in=folder)


def _included(_: Sphinx, path: Path, page: str, source: list[str]) -> None:
    written_in = (ROOT / "docs" / path).resolve().parent.relative_to(ROOT).as_posix()
    folder = posixpath.join("docs", posixpath.dirname(page)).rstrip("/")
    source[0] = rewritten(source[0], written_in=written_in, shown_in=folder)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("source-read", _read)
    app.connect("include-read", _included)
    return {"parallel_read_safe": True}
