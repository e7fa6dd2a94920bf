"""`decoderd-client`: runs plug-ins beside a session."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from decoderd_client.asking import Session, Supervisor
from decoderd_client.conversation import ControlError, NoAnswer
from decoderd_client.keys import ClientKeys
from decoderd_client.plugins import installed

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Programs beside a session."
)


class Wrong(Exception):
    """What the user gave cannot be used."""


def main() -> None:
    """Run the command line; deliberate errors become one message and exit status 1."""
    try:
        app()
    except (Wrong, ControlError, NoAnswer) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


@app.command("plugins")
def plugins() -> None:
    """List the plug-ins that are installed."""
    for name, plugin in installed().items():
        print(f"{name}: {(sys.modules[plugin.run.__module__].__doc__ or '').splitlines()[0]}")


@app.command()
def run(
    plugin: Annotated[str, typer.Argument(help="Its name.")],
    session: Annotated[str | None, typer.Option(help="Name of a session of the supervisor.")] = None,
    supervisor: Annotated[str, typer.Option(help="Where `decoderd serve` is.")] = "tcp://127.0.0.1:5570",
    control: Annotated[str | None, typer.Option(help="Control of a session, instead of --session.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of what it is to do.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a field.")] = None,
    keys: Annotated[Path | None, typer.Option(help="This client's file of keys.")] = None,
) -> None:
    """Run a plug-in beside a session until it has done its work."""
    there = installed()
    if plugin not in there:
        raise Wrong(f"no plug-in {plugin!r}; there are: {', '.join(there) or 'none'}")
    given = _parsed(there[plugin].Config, _read(config, set_ or []))
    try:
        mine = ClientKeys.load(keys) if keys is not None else None
    except (OSError, ValueError) as error:
        raise Wrong(str(error)) from None
    if (session is None) == (control is None):
        raise Wrong("say which session: --session NAME, or --control ENDPOINT")
    try:
        found = Session(control, keys=mine) if control else Supervisor(supervisor, keys=mine).session(session or "")
    except ValueError as error:
        raise Wrong(str(error)) from None
    with found:
        there[plugin].run(found, given, lambda text: print(text, flush=True))


def _read(file: Path | None, overrides: list[str]) -> dict[str, Any]:
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8")) if file is not None else {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Wrong(f"{file}: {error}") from None
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals:
            raise Wrong(f"--set {override}: expected KEY=VALUE")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        here: Any = data
        *parents, last = path.split(".")
        try:
            for part in parents:
                here = here[int(part)] if isinstance(here, list) else here.setdefault(part, {})
            here[int(last) if isinstance(here, list) else last] = value
        except (ValueError, IndexError, TypeError, AttributeError):
            raise Wrong(f"--set {override}: {path} leads nowhere") from None
    return data


def _parsed(model: Any, data: dict[str, Any]) -> Any:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        ]
        raise Wrong("\n".join(lines)) from None
