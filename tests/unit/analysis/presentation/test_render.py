import csv
import io
import json

import pytest
from rich.console import Console

from analysis.figures.drawing import DARK, LIGHT, colour, draw
from analysis.figures.figure import Axis, Band, Figure, Panel, Series
from analysis.page import page
from analysis.presentation import render
from analysis.presentation.render import Format
from analysis.presentation.report import Column, ReportSection, ReportTable
from tests.helpers.fake_study import FakeTrial, runs_of, usual
from tests.helpers.page_reader import unpacked

NASTY = "a|b <script>\x1b[31mred\x07\u202e\nnext"

SECTION = ReportSection(
    title="A section",
    sentences=("One sentence.",),
    tables=(
        ReportTable(
            "Numbers",
            (
                Column("name", "name"),
                Column("error", "error", "percent"),
                Column("range", "95 % interval", "interval"),
                Column("t", "T", "integer"),
                Column("flag", "flag"),
            ),
            (
                (NASTY, 0.0812345, (0.055, 0.112), 8, True),
                ("empty", None, None, None, None),
                ("odd", float("nan"), (0.0, 1.0), 2, False),
            ),
        ),
    ),
)


def test_json_holds_full_numbers_and_null_for_what_is_missing() -> None:
    made = json.loads(render.render(SECTION, Format.JSON, ["odd"]))
    rows = made["tables"][0]["rows"]
    assert rows[0] == {
        "name": NASTY,
        "error": 0.0812345,
        "range": [0.055, 0.112],
        "t": 8,
        "flag": True,
    }
    assert rows[1]["error"] is None
    assert rows[2]["error"] is None
    assert made["notes"] == ["odd"]


def test_csv_has_a_column_for_each_end_of_an_interval() -> None:
    rows = list(csv.DictReader(io.StringIO(render.render(SECTION, Format.CSV))))
    assert list(rows[0]) == ["name", "error", "range_low", "range_high", "t", "flag"]
    assert float(rows[0]["error"]) == 0.0812345
    assert (rows[0]["range_low"], rows[0]["range_high"]) == ("0.055", "0.112")
    assert set(rows[1].values()) == {"empty", ""}


def test_a_markdown_row_has_as_many_cells_as_its_head_whatever_a_name_holds() -> None:
    lines = render.render(SECTION, Format.MD).splitlines()
    table = [line.replace("\\|", "") for line in lines if line.startswith("|")]
    assert len(table) == 5
    assert {line.count("|") for line in table} == {6}
    assert "<script>" not in "".join(lines)


@pytest.mark.parametrize("fmt", list(Format))
def test_no_format_passes_a_control_character_on(fmt: Format) -> None:
    out = io.StringIO()
    render.show(SECTION, fmt, notes=[NASTY], console=Console(file=out, width=80))
    assert not set(out.getvalue()) & set("\x1b\x07\u202e\r")


def test_a_terminal_sees_markup_in_names_as_text() -> None:
    section = ReportSection("[bold]title[/bold]", ("[link=x]y[/link]",))
    out = io.StringIO()
    render.show(section, Format.TABLE, console=Console(file=out, width=80))
    assert "[bold]title[/bold]" in out.getvalue()
    assert "[link=x]y[/link]" in out.getvalue()


def test_a_pipe_gets_room_for_names() -> None:
    columns = tuple(Column(f"c{i}", f"c{i}") for i in range(4))
    section = ReportSection("t", tables=(ReportTable("t", columns, (("x" * 30,) * 4,)),))
    out = io.StringIO()
    render.show(section, Format.TABLE, console=Console(file=out, width=80))
    assert "x" * 30 in out.getvalue()


FIGURE = Figure(
    "f",
    "title",
    "caption",
    Axis("x", log=True),
    (
        Panel(
            Axis("y"),
            (
                Series("<b>app</b>", (0.1, 1.0), (0.2, 0.3), ("one\n<i>", "two"), "app"),
                Series("mean", (0.5, 1.0), (0.1, 0.1), method="dense", mark="steps", low=(0, 0),
                       high=(0.2, 0.2)),
            ),
            (Band(0.2, 0.1, 0.3, "dense <b>"),),
        ),
        Panel(Axis("z", span=(0.0, 1.0)), (Series("mean", (0.5,), (1.0,), mark="steps"),)),
    ),
)  # fmt: skip


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_a_drawing_escapes_the_texts_that_plotly_would_read_as_html(theme: object) -> None:
    text = draw(FIGURE, theme).to_json()  # type: ignore[arg-type]  # one of the two
    drawn = json.loads(text)
    assert all("<b>" not in str(t.get("name")) for t in drawn["data"])
    hover_texts = [t["hovertext"] for t in drawn["data"] if "hovertext" in t]
    assert hover_texts[0][0] == "one<br>&lt;i&gt;"
    assert drawn["layout"]["annotations"][0]["text"] == "dense &lt;b&gt;"


def test_panels_share_the_width_and_a_series_in_both_has_one_entry_in_the_legend() -> None:
    drawn = draw(FIGURE, LIGHT)
    assert drawn.layout.yaxis.domain[0] > drawn.layout.yaxis2.domain[1]
    entries = [trace.name for trace in drawn.data if trace.showlegend is not False]
    assert entries == ["&lt;b&gt;app&lt;/b&gt;", "mean"]


def test_a_method_has_one_colour_and_no_two_published_methods_share_it() -> None:
    methods = ["dense", "one_shot", "app", "geometric", "linear", "cubic", ""]
    assert len({colour(method, LIGHT) for method in methods}) == len(methods)
    assert colour("my_own", LIGHT) == colour("my_own", DARK)


def test_the_page_escapes_names_and_asks_nothing_of_the_network() -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    runs = runs_of([FakeTrial(0, "dense", 4, 1.0), FakeTrial(1)], notes=(evil,))
    runs.trials["title"] = evil
    html = page.page(runs, (evil,), page.sections(runs))
    assert evil not in html
    assert "<img" not in html
    assert "default-src 'none'" in html
    # Plotly would else show a button that uploads the data.
    assert "showSendToCloud: false" in html
    for attribute in ('src="', "src='", '<link rel="stylesheet"', "@import"):
        assert attribute not in html


def test_plotly_is_embedded_once_and_only_where_there_is_a_figure() -> None:
    full, empty = runs_of(usual()), runs_of([])
    one = page.page(full, ("a",), page.sections(full))
    none = page.page(empty, ("a",), page.sections(empty))
    assert unpacked(one, "library").count("plotly.js v") == 1
    assert len(one) < 2_000_000
    drawn = json.loads(unpacked(one, "drawings"))
    assert set(drawn) == {f.name for made in page.sections(full).values() for f in made.figures}
    assert len(none) < 50_000
