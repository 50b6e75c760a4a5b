"""app-report: reports on a study, in the terminal and as a page."""

import dataclasses
import inspect
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from analysis.errors import ReportError
from analysis.presentation.render import Format, safe, show
from analysis.presentation.report import REPORTS, Report
from analysis.reports.discovery import load_reports
from study.credentials import REFUSED, holds_credentials
from study.files import names_beginning

if TYPE_CHECKING:
    from analysis.runs.study_runs import Runs

app = typer.Typer(
    name="app-report",
    help="Reports on a study of Anytime Progressive Pruning, read from MLflow.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _complete_study(incomplete: str) -> list[str]:
    """For a shell; what MLflow knows beyond the studies here, it would have to wait for."""
    return names_beginning(incomplete)


def _tracking_uri(given: str) -> str:
    from analysis.runs.mlflow_reader import default_uri

    if holds_credentials(given):
        raise typer.BadParameter(REFUSED)
    return given or default_uri()


_Studies = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME",
        help="Name of a study; several are analysed as one.",
        autocompletion=_complete_study,
    ),
]
_Uri = Annotated[
    str,
    typer.Option(
        "--tracking-uri",
        help="Where MLflow keeps the study; by default $MLFLOW_TRACKING_URI, or else "
        "sqlite:///mlflow.db.",
        callback=_tracking_uri,
        show_default=False,
    ),
]
_Out = Annotated[Path | None, typer.Option(help="Folder to write to; by default reports/NAME.")]
_Format = Annotated[Format, typer.Option("--format", help="How to print it.")]


def main() -> None:
    """Run the command line; what cannot be reported is an error of one line, with exit code 2."""
    from rich.console import Console
    from rich.text import Text

    try:
        app()
    except ReportError as error:
        Console(stderr=True, soft_wrap=True).print(Text(f"error: {safe(str(error))}"))
        raise SystemExit(2) from None


@app.command()
def html(
    studies: _Studies,
    out: _Out = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Write it anew while the study runs, until it ends.")
    ] = False,
    every: Annotated[
        int, typer.Option(min=5, max=3600, help="Seconds between two writings, with --watch.")
    ] = 30,
    tracking_uri: _Uri = "",
) -> None:
    """Write the whole report as one self-contained page, and print where it is."""
    from analysis.page.page import write_report

    folder = out or Path("reports") / _folder(studies)
    if watch:
        _watch(studies, folder, every, tracking_uri)
    else:
        typer.echo(str(write_report(*studies, tracking_uri=tracking_uri, out=folder).page))


def _watch(studies: list[str], folder: Path, every: int, tracking_uri: str) -> None:
    """Until the study has ended or Ctrl-C, which leaves the page as it is."""
    from analysis.page.live_page import watch

    is_said = False
    try:
        for seen in watch(*studies, tracking_uri=tracking_uri, out=folder, every=every):
            if isinstance(seen, ReportError):
                typer.echo(f"Note: {safe(str(seen))}; tried again in {every} s", err=True)
            elif not is_said:
                typer.echo(str(seen.page))
                is_said = True
    except KeyboardInterrupt:
        raise SystemExit(130) from None


class _For(StrEnum):
    """What is to read an export."""

    FRAMES = "frames"
    OPTUNA = "optuna"
    DEEPCAVE = "deepcave"


@app.command()
def export(
    studies: _Studies,
    reader: Annotated[
        _For,
        typer.Option(
            "--for",
            help="What is to read it: frames are Parquet and CSV; optuna is a database for "
            "optuna-dashboard and Optuna's figures; deepcave is the folder of a run.",
        ),
    ] = _For.FRAMES,
    out: _Out = None,
    tracking_uri: _Uri = "",
) -> None:
    """Write the trials, as tidy frames or for another tool; print the paths."""
    from analysis.runs.several_studies import load_all

    folder = out or Path("reports") / _folder(studies)
    runs = load_all(studies, tracking_uri=tracking_uri)
    if reader is _For.OPTUNA:
        from analysis.exports.optuna_study import write_optuna

        written = write_optuna(runs, folder)
    elif reader is _For.DEEPCAVE:
        from analysis.exports.deepcave import write_deepcave

        written = write_deepcave(runs, folder / "deepcave" / _folder(studies))
    else:
        from analysis.exports.frames import write_frames

        written = write_frames(runs, folder)
    for path in written.files:
        typer.echo(str(path))
    _echo_notes(runs, *written.notes)


def _echo_notes(runs: "Runs", *others: str) -> None:
    for note in (*runs.notes, *others):
        typer.echo(f"Note: {safe(note)}", err=True)


def _folder(studies: list[str]) -> str:
    """A folder's name for studies, whose own names are the user's and need not be one."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", "+".join(studies))[:80].strip(".") or "study"


def _command(cls: type[Report]) -> Callable[..., None]:
    """The sub-command of a report: NAME, --format, --tracking-uri, and its fields as options."""

    def command(studies: list[str], fmt: Format, tracking_uri: str, **options: Any) -> None:
        from rich.console import Console

        from analysis.runs.several_studies import load_all

        given = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        runs = load_all(studies, tracking_uri=tracking_uri)
        section = cls(**given).build(runs)
        show(section, fmt, notes=runs.notes, console=Console())
        if fmt is Format.CSV:
            _echo_notes(runs)

    parameters = [
        _parameter("studies", _Studies),
        _parameter("fmt", _Format, default=Format.TABLE),
        _parameter("tracking_uri", _Uri, default=""),
        *_options(cls),
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__doc__ = inspect.getdoc(cls)
    return command


def _options(cls: type[Report]) -> list[inspect.Parameter]:
    hints = get_type_hints(cls)
    made = []
    for field in dataclasses.fields(cls):
        flag = f"--{field.name.replace('_', '-')}"
        many = isinstance(field.default, tuple)
        kind = list[str] if many else hints[field.name]
        option = typer.Option(
            flag, help=field.metadata.get("help", ""), show_default=field.default not in ((), "")
        )
        default = list(field.default) if many else field.default  # type: ignore[arg-type]  # a tuple
        made.append(_parameter(field.name, Annotated[kind, option], default=default))
    return made


def _parameter(
    name: str, annotation: Any, *, default: Any = inspect.Parameter.empty
) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


load_reports()
for _name in REPORTS:
    app.command(_name)(_command(REPORTS.get(_name)))


if __name__ == "__main__":
    main()
