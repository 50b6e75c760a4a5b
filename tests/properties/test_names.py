"""Whatever a name is, it stays a name: in paths, in a terminal, in HTML and in filters."""

import contextlib
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from analysis.page.page import page, sections
from analysis.presentation.render import Format, show
from study.config.problems import ConfigError, Problem, shown
from study.credentials import without_credentials
from study.errors import StudyError
from study.files import NAME
from study.registry import Registry
from study.store.folder import StudyStore
from study.text import MAX_LINE_LENGTH, printable
from tests.helpers.fake_study import runs_of, usual
from tests.helpers.fuzzing import NAMES

names = st.one_of(
    st.sampled_from(NAMES),
    st.text(max_size=200),
    st.text(alphabet="<>&\"'`=/ \\\n\x1b[]{}()%;:.-_aA\u202e\0", max_size=60),
)
_PRINTED = re.compile(
    r"[^\S\n ]|[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


class Tags(HTMLParser):
    """Every element with the names of its attributes, and the text outside of scripts."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] not in ("script", "style"):
            self.text += data


def _page(name: str) -> str:
    """The page of a study in which every text from outside is ``name``."""
    trials = usual((2,))
    runs = runs_of(trials, notes=(name,))
    runs = replace(runs, study=replace(runs.study, name=name, description=name))
    runs.trials["title"] = name
    runs.trials["reason"] = name
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("plotly.offline.get_plotlyjs", lambda: "")  # megabytes of the same
        return page(runs, (name,), sections(runs))


@pytest.fixture(scope="module")
def plain() -> list[tuple[str, tuple[str, ...]]]:
    return Tags(_page("plain")).tags


@settings(max_examples=6, deadline=None)
@example("".join(NAMES))
@given(names)
def test_no_element_or_attribute_of_the_page_comes_from_a_name(
    plain: list[tuple[str, tuple[str, ...]]], name: str
) -> None:
    assert Tags(_page(f"n{name}")).tags == plain


@given(names)
def test_what_is_printed_steers_no_terminal_and_ends(name: str) -> None:
    for text in (printable(name), shown(name), str(ConfigError([Problem(name, name, (name,))]))):
        assert not _PRINTED.search(text)
        assert all(len(line) <= MAX_LINE_LENGTH + 130 for line in text.split("\n"))


@settings(max_examples=10, deadline=None)
@given(names)
def test_a_table_in_a_terminal_holds_no_character_that_steers_it(name: str) -> None:
    runs = runs_of(usual((2,)), notes=(name,))
    runs.trials["title"] = name
    runs.trials["reason"] = name
    made = sections(runs)["runs"]
    for fmt in Format:
        out = io.StringIO()
        show(made, fmt, notes=runs.notes, console=Console(file=out, width=200))
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out.getvalue())


@given(names)
def test_a_study_lies_directly_in_its_store_or_nowhere(name: str) -> None:
    store = StudyStore(Path("/store"))
    if not NAME.fullmatch(name):
        with pytest.raises(StudyError, match="no study can be called") as refused:
            store.folder(name)
        assert len(printable(str(refused.value))) < 500
        return
    folder = store.folder(name)
    assert folder.path.parent == Path("/store")
    assert folder.path.resolve() == folder.path
    assert folder.record_path.is_relative_to("/store")


@given(st.from_regex(NAME, fullmatch=True))
def test_every_name_that_is_allowed_needs_no_quotes_anywhere(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)
    assert not name.endswith(".")
    assert name.partition(".")[0].lower() not in ("con", "nul", "aux", "prn", "com1", "lpt9")


@given(names)
def test_a_plug_in_cannot_be_called_what_would_have_to_be_quoted(name: str) -> None:
    plugins: Registry[object] = Registry("thing")
    with contextlib.suppress(ValueError):
        plugins.register(name)
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", name)


words = st.text(alphabet=st.characters(codec="ascii", categories=["L", "N"]), min_size=4)


@given(words, st.sampled_from(["postgresql", "mysql+pymysql", "https"]), words)
def test_a_password_is_shown_nowhere(user: str, scheme: str, password: str) -> None:
    secret = f"pw{password}!"
    uri = f"{scheme}://{user}:{secret}@example.org:5432/runs"
    for text in (uri, f"cannot reach {uri}: no", f"{uri}?x=1 {uri}"):
        assert secret not in without_credentials(text)
        assert secret not in printable(text)
        assert secret not in shown(text)
        assert secret not in str(ConfigError([Problem("tracking.uri", text, (text,))]))


@pytest.mark.parametrize(
    "text", ["a" * 300_000, "a://" * 60_000, "a://b:" * 40_000, "?token=" * 40_000]
)
def test_a_text_without_end_is_shown_in_no_time(text: str) -> None:
    assert len(printable(text)) <= MAX_LINE_LENGTH
    assert len(shown(text)) <= 60
