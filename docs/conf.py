"""The documentation as a site: ``make docs``."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "extensions"), str(HERE.parent)]

from study import __version__  # noqa: E402  # from this checkout

project = "anytime-pruning-study"
release = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "reference",
    "repository_links",
]
# Sphinx has a page called search itself, so that ours is included in another.
exclude_patterns = ["_build", "extensions", "search.md"]
nitpicky = False

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "anytime-pruning-study"
html_static_path: list[str] = []
html_show_sourcelink = False
html_copy_source = False
# Found pages are listed without their texts, which a browser does not read from files.
html_show_search_summary = False
# Nothing is asked of anybody: no fonts and no scripts from elsewhere.
html_theme_options = {"top_of_page_buttons": []}
