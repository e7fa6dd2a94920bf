"""The command `decoderd`: its commands put together, and how errors are printed."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Annotated

import typer

from decoderd import __version__
from decoderd.cli import (
    bench,
    check,
    ctl,
    dashboard,
    decode,
    exchange,
    export,
    fit,
    output,
    reproduce,
    run,
    serve,
    streams,
    study,
    wire,
)
from decoderd.cli.streams import OutputError
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
    export.export,
    decode.decode,
    fit.fit,
    serve.serve,
    serve.keys,
    ctl.watch,
    dashboard.dashboard,
    bench.bench,
    wire.wire,
    study.study,
):
    app.command()(command)
app.command("export-decoder")(exchange.export_decoder)
app.add_typer(exchange.imports, name="import")
app.add_typer(ctl.ctl, name="ctl")
app.add_typer(reproduce.reproduce, name="reproduce")


def main() -> None:
    """Run the command line. An error of decoderd is printed as one message, or one JSON object, with exit status 1."""
    streams.install()
    try:
        try:
            app()
        except SystemExit:  # the end of every command; what it printed may still have to be written
            sys.stdout.flush()
            raise
    except DecoderdError as error:
        sys.exit(_failed(error))


# As of a process that SIGPIPE ended: what other tools do when nobody reads their output any more.
UNREAD = 128 + 13


def _failed(error: DecoderdError) -> int:
    """Print an error; returns the exit status."""
    if isinstance(error, OutputError) and error.unread:
        return UNREAD
    output.note(f"error: {error}", style="red")
    if "--json" in sys.argv:
        with suppress(OutputError):
            output.as_json({"error": {"code": error.code, "message": str(error), "field": error.field}})
            sys.stdout.flush()
    return 1


def _version(shown: bool) -> None:
    if shown:
        output.line(f"decoderd {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
