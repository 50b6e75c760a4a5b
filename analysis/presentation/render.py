"""Sections as text: a terminal's table, Markdown, CSV, JSON; and cells as people read them."""

import csv
import io
import json
import unicodedata
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from analysis.figures.figure import Figure
from analysis.presentation.report import Column, ReportSection, ReportTable, Value
from analysis.statistics.summary import Interval
from analysis.wording import bounds, percent

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_PIPED_WIDTH = 10_000  # as wide as a table likes: nothing is folded, a sentence is one line
_WORD_WIDTH = 14
_DRAWN = ("low", "high", "text")


class Format(StrEnum):
    """What a section is rendered as."""

    TABLE = "table"
    MD = "md"
    CSV = "csv"
    JSON = "json"


def safe(text: str) -> str:
    r"""``text`` on one line, without anything that could drive a terminal.

    Line breaks and tabs become spaces; other control, format and surrogate characters are shown
    by their code, e.g. ``\x1b``.
    """
    if text.isprintable():  # the rule, and quick to check
        return text
    flat = " ".join(text.split()) if any(c in text for c in "\n\r\t\v\f") else text
    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char)[0] == "C" else char
        for char in flat
    )


def shown(value: Value, column: Column) -> str:
    """A cell as people read it; empty for a missing value."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        low, high = value
        as_numbers = f"[{low:.3g}, {high:.3g}]"
        return bounds(Interval(low, high)) if column.format == "interval" else as_numbers
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return safe(value)
    if column.format == "percent":
        return percent(value)
    if column.format == "points":
        return f"{100 * value:+.1f}"
    if column.format == "integer":
        return f"{value:.0f}"
    return f"{value:.4g}"


def is_numeric(column: Column) -> bool:
    """Whether its cells stand to the right."""
    return column.format != "text"


def render(section: ReportSection, fmt: Format, notes: Sequence[str] = ()) -> str:
    """The section as one text ending in a newline, for every format but ``table``."""
    makers = {
        Format.MD: lambda: _markdown(section, notes),
        Format.CSV: lambda: _csv(section),  # a data file has no room for notes
        Format.JSON: lambda: _json(section, notes),
    }
    return makers[fmt]()


def show(
    section: ReportSection, fmt: Format, *, notes: Sequence[str] = (), console: "Console"
) -> None:
    """Print the section to ``console``; machine formats as they are, without wrapping."""
    from rich.console import Console

    if fmt is not Format.TABLE:
        console.file.write(render(section, fmt, notes))
        return
    if not console.is_terminal:
        # A pipe has no width: give names room rather than fold them at 80.
        console = Console(file=console.file, width=max(console.width, _PIPED_WIDTH))
    for part in _renderables(section, notes):
        console.print(part)


def _renderables(section: ReportSection, notes: Sequence[str]) -> "list[RenderableType]":
    from rich.text import Text

    parts: list[RenderableType] = [Text(safe(section.title), style="bold")]
    parts += [Text(safe(sentence)) for sentence in section.sentences]
    for table in section.tables:
        if table.rows:
            parts += _titled(table, section)
    parts += [Text(f"Note: {safe(note)}", style="yellow") for note in notes]
    return parts


def _titled(table: ReportTable, section: ReportSection) -> "list[RenderableType]":
    from rich.text import Text

    own = [Text(f"\n{safe(table.title)}", style="bold")] if table.title != section.title else []
    return [*own, _rich_table(table)]


def _rich_table(table: ReportTable) -> "RenderableType":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for place, column in enumerate(table.columns):
        widest = max((len(shown(row[place], column)) for row in table.rows), default=0)
        made.add_column(
            Text(safe(column.title)),
            justify="right" if is_numeric(column) else "left",
            no_wrap=is_numeric(column),
            # Numbers never fold, but they must not squeeze words to a letter a line either.
            min_width=min(widest, _WORD_WIDTH),
            overflow="fold",
        )
    for row in table.rows:
        cells = zip(row, table.columns, strict=True)
        made.add_row(*(Text(shown(value, column)) for value, column in cells))
    return made


def _markdown(section: ReportSection, notes: Sequence[str]) -> str:
    lines = [f"## {_md(section.title)}", ""]
    for sentence in section.sentences:
        lines += [_md(sentence), ""]
    for table in section.tables:
        if table.title != section.title:
            lines += [f"### {_md(table.title)}", ""]
        lines += [
            _md_row([column.title for column in table.columns]),
            _md_row(["---:" if is_numeric(column) else "---" for column in table.columns]),
        ]
        for row in table.rows:
            cells = zip(row, table.columns, strict=True)
            lines.append(_md_row([_md(shown(value, column)) for value, column in cells]))
        lines.append("")
    lines += [f"> Note: {_md(note)}\n" for note in notes]
    return "\n".join(lines).rstrip("\n") + "\n"


def _md_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _md(text: str) -> str:
    plain = safe(text).replace("\\", "\\\\").replace("|", "\\|").replace("`", "\\`")
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _csv(section: ReportSection) -> str:
    return "\n".join(table_csv(table) for table in section.tables)


def table_csv(table: ReportTable) -> str:
    """A table in full precision under its columns' keys; an interval takes two columns."""
    flat = [_flat(column) for column in table.columns]
    rows: list[list[object]] = [[name for names in flat for name in names]]
    for row in table.rows:
        cells: list[object] = []
        for value, names in zip(row, flat, strict=True):
            cells += _csv_cells(value, len(names))
        rows.append(cells)
    return _csv_text(rows)


def figure_csv(figure: Figure) -> str:
    """What a figure draws: a row a point, with its panel, series, interval and what it says."""
    rows: list[list[object]] = [["panel", "series", figure.x.title or "x", "y", *_DRAWN]]
    for panel in figure.panels:
        for series in panel.series:
            empty = ("",) * len(series.x)
            columns = (series.x, series.y, *(s or empty for s in (series.low, series.high)))
            texts = (safe(text.replace("\n", "; ")) for text in series.hover or empty)
            for *numbers, text in zip(*columns, texts, strict=True):
                rows.append([safe(panel.y.title), safe(series.name), *numbers, text])
    return _csv_text(rows)


def _csv_text(rows: Sequence[Sequence[object]]) -> str:
    made = io.StringIO()
    csv.writer(made, lineterminator="\n").writerows(rows)
    return made.getvalue()


def _flat(column: Column) -> list[str]:
    if column.format in ("interval", "range"):
        return [f"{column.name}_low", f"{column.name}_high"]
    return [column.name]


def _csv_cells(value: Value, width: int) -> list[object]:
    if value is None:
        return [""] * width
    if isinstance(value, tuple):
        return list(value)
    return [safe(value) if isinstance(value, str) else value]


def _json(section: ReportSection, notes: Sequence[str]) -> str:
    made: dict[str, Any] = {
        "title": section.title,
        "sentences": list(section.sentences),
        "tables": [{"title": table.title, "rows": records(table)} for table in section.tables],
        "notes": list(notes),
    }
    return json.dumps(made, indent=2, allow_nan=False) + "\n"


def records(table: ReportTable) -> list[dict[str, Any]]:
    """Rows by column name, in full precision; what JSON cannot hold is null."""
    names = [column.name for column in table.columns]
    return [
        {name: _plain(value) for name, value in zip(names, row, strict=True)} for row in table.rows
    ]


def _plain(value: Value) -> Any:
    if isinstance(value, tuple):
        return [_plain(end) for end in value]
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    return value
