"""The command `decoderd`: its commands put together, and how errors are printed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from decoderd import __version__
from decoderd.cli import bench, check, ctl, decode, fit, output, reproduce, run, serve
from decoderd.errors import DecoderdError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Closed-loop emulation of brain-computer-interface decoders.",
)
for command in (
    run.run,
    run.resume,
    run.replay,
    check.check,
    decode.decode,
    fit.fit,
    serve.serve,
    serve.keys,
    ctl.watch,
    bench.bench,
):
    app.command()(command)
app.add_typer(ctl.ctl, name="ctl")
app.add_typer(reproduce.reproduce, name="reproduce")


def main() -> None:
    """Run the command line. An error of decoderd is printed as one message, or one JSON object, with exit status 1."""
    try:
        app()
    except DecoderdError as error:
        output.note(f"error: {error}", style="red")
        if "--json" in sys.argv:
            output.as_json({"error": {"code": error.code, "message": str(error), "field": error.field}})
        sys.exit(1)


def _version(shown: bool) -> None:
    if shown:
        print(f"decoderd {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
