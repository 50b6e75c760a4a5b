"""What a shell completes names from."""

import typer

from study.files import names_beginning


def complete_study(ctx: typer.Context, incomplete: str) -> list[str]:
    """The studies of the store that the line names, or the default one."""
    return names_beginning(incomplete, ctx.params.get("store"))


def complete_example(incomplete: str) -> list[str]:
    """The ready-made study files."""
    from study.operations.study_files.examples import example_paths

    return [name for name in example_paths() if name.startswith(incomplete)]
