"""The command ``app-study``. Heavy imports are made where they are used: ``--help`` is quick."""

import sys
from typing import Annotated

import typer

from study.commands.check import check
from study.commands.confirm import confirm
from study.commands.export import export
from study.commands.extend import extend
from study.commands.latency import latency
from study.commands.launch import launch, resume
from study.commands.plan import plan
from study.commands.plugins import plugins
from study.commands.replay import replay
from study.commands.run import run
from study.commands.status import list_studies, status
from study.commands.study_files.examples import examples
from study.commands.study_files.init import init
from study.commands.study_files.schema import schema
from study.commands.sync import sync
from study.commands.ui import ui
from study.commands.update import update
from study.commands.validate import validate
from study.errors import is_users
from study.text import printable

USER_ERROR = 2

app = typer.Typer(
    name="app-study",
    help="Studies of Anytime Progressive Pruning on streams of megabatches.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for _command in (
    examples,
    init,
    launch,
    resume,
    extend,
    check,
    confirm,
    sync,
    status,
    ui,
    run,
    validate,
    plan,
    replay,
    plugins,
    schema,
    export,
    latency,
    update,
):
    app.command()(_command)
app.command("list")(list_studies)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from study import __version__

        print(f"app-study {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; mistakes of the user end in a message and exit code 2."""
    try:
        app()
    except Exception as error:
        if not is_users(error):
            raise
        print(f"error: {printable(str(error))}", file=sys.stderr)
        sys.exit(USER_ERROR)


if __name__ == "__main__":
    main()
