"""The plug-in point of reports: each makes one section from the two frames."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from analysis.figures.figure import Figure
from study.registry import Registry

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs

Format = Literal["text", "integer", "number", "percent", "points", "interval", "range"]
Value = str | int | float | bool | None | tuple[float, float]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: Its key in JSON and CSV: a metric's or param's own name where it is one.
        title: Its heading for people.
        format: ``percent`` holds fractions, ``points`` differences of them; ``interval`` holds
            (low, high) in fractions, ``range`` in the column's own unit.
    """

    name: str
    title: str
    format: Format = "text"


@dataclass(frozen=True)
class ReportTable:
    """Rows of plain values, one for each column; None where a value is missing.

    ``folded`` tables support a figure, and are opened on the page by those who want them.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    folded: bool = False

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows)


@dataclass(frozen=True)
class ReportSection:
    """What one report has to say: sentences first, then pictures, then numbers."""

    title: str
    sentences: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[ReportTable, ...] = ()


@dataclass(frozen=True)
class Report(ABC):
    """Plug-in: its fields are its options on the command line, its docstring is its help.

    A field is a ``str``, ``int``, ``float``, ``bool``, or ``tuple[str, ...]`` with a default, and
    its help is ``metadata={"help": …}``. Heavy imports belong inside :meth:`build`.
    """

    # Its place on the page: lower stands higher.
    position: ClassVar[int] = 100

    @classmethod
    def is_for(cls, runs: "Runs") -> bool:  # noqa: ARG003  # most are for any study
        """Whether it is on the page of this study; asked for by name, it is made anyway."""
        return True

    @abstractmethod
    def build(self, runs: "Runs") -> ReportSection:
        """The section on ``runs``, which may hold no trial, or none that finished.

        Raises:
            ReportError: An option names what is not there.
        """


REPORTS: Registry[Report] = Registry("report")
