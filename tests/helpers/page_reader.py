"""The page as a reader of its HTML finds it: sections, tables, addresses."""

import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from analysis.presentation.render import shown
from analysis.presentation.report import ReportTable


@dataclass
class PageTable:
    """A table: its title, its columns' keys, and of each cell its value (or None) and its text."""

    title: str
    names: list[str] = field(default_factory=list)
    rows: list[list[tuple[str | None, str]]] = field(default_factory=list)


class Page(HTMLParser):
    """A page's sections, in order, with their tables; and all addresses that it mentions."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.sections: dict[str, list[PageTable]] = {}
        self.headings: dict[str, str] = {}
        self.addresses: list[str] = []
        self.saved: list[str] = []
        self.figures: list[str] = []
        self.drawn = 0
        self._section = ""
        self._in: list[str] = []
        self.feed(text)
        self.close()

    @property
    def _table(self) -> PageTable:
        return self.sections[self._section][-1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: str(value or "") for name, value in attrs}
        self._note(tag, given)
        if tag == "section":
            self._section = given["id"]
            self.sections[self._section] = []
        elif tag == "table" and "data-title" in given:
            self.sections[self._section].append(PageTable(given["data-title"]))
        elif tag == "th":
            self._table.names.append(given["data-name"])
        elif tag == "tr" and self._in[-1:] == ["tbody"]:
            self._table.rows.append([])
        elif tag == "td":
            self._table.rows[-1].append((given.get("data-value"), ""))
        if tag in ("tbody", "td", "h2"):
            self._in.append(tag)

    def _note(self, tag: str, given: dict[str, str]) -> None:
        """Addresses, what can be saved, and figures."""
        self.addresses += [
            given[name] for name in ("href", "src", "action", "srcset") if given.get(name)
        ]
        if tag == "a" and "download" in given:
            self.saved.append(given["download"])
        if "data-figure" in given:
            self.figures.append(given["data-figure"])
        self.drawn += "main-svg" in given.get("class", "").split()

    def handle_endtag(self, tag: str) -> None:
        if self._in[-1:] == [tag]:
            self._in.pop()

    def handle_data(self, data: str) -> None:
        if self._in[-1:] == ["td"]:
            value, text = self._table.rows[-1][-1]
            self._table.rows[-1][-1] = (value, text + data)
        elif self._in[-1:] == ["h2"] and self._section:
            self.headings[self._section] = self.headings.get(self._section, "") + data


def unpacked(html: str, name: str) -> str:
    """What the page's script unpacks from the page: deflated, in base 91, 13 bits a pair."""
    found = re.search(rf'<script type="text/plain" id="{name}">(\d+),([!-~]+)</script>', html)
    assert found is not None
    signs = [chr(sign) for sign in range(33, 127) if chr(sign) not in "<>&"]
    values = {sign: value for value, sign in enumerate(signs)}
    pairs = zip(found[2][::2], found[2][1::2], strict=True)
    bits = "".join(f"{values[high] * 91 + values[low]:013b}" for high, low in pairs)
    size = int(found[1])
    return zlib.decompress(int(bits[: 8 * size], 2).to_bytes(size)).decode()


def files_of(html: str) -> dict[str, str]:
    """What can be saved of a page, by the name of the file."""
    files: dict[str, str] = json.loads(unpacked(html, "files"))
    return files


def agree(
    page: Sequence[PageTable], said: Sequence[dict[str, Any]], made: Sequence[ReportTable]
) -> None:
    """Assert that a section's tables on the page hold what ``--format json`` says, cell by cell.

    Args:
        page: The section's tables as read from the page.
        said: The ``tables`` of the JSON.
        made: The same tables as the report makes them: the formats of their columns.
    """
    filled = [(table, told) for table, told in zip(made, said, strict=True) if told["rows"]]
    assert [table.title for table in page] == [told["title"] for _, told in filled]
    for shown_table, (table, told) in zip(page, filled, strict=True):
        names = [column.name for column in table.columns]
        assert shown_table.names == names
        assert len(shown_table.rows) == len(told["rows"])
        for cells, row in zip(shown_table.rows, told["rows"], strict=True):
            assert list(row) == names
            for (number, text), column in zip(cells, table.columns, strict=True):
                value = row[column.name]
                as_cell = tuple(value) if isinstance(value, list) else value
                assert text == shown(as_cell, column)
                if number:
                    low = value[0] if isinstance(value, list) else value
                    assert float(number) == float(low)
                elif number == "":
                    assert value is None
