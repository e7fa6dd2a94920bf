"""`decoderd-client`: runs plug-ins beside a session."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from decoderd_client.control import Session, Supervisor
from decoderd_client.keys import ClientKeys
from decoderd_client.plugins import Plugin, Unable, installed
from decoderd_client.requests import ControlError, NoAnswer

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Programs beside a session."
)


Client = TypeVar("Client", Session, Supervisor)


class Wrong(Exception):
    """An argument or option that cannot be used."""


def main() -> None:
    """Run the command line; deliberate errors become one message and exit status 1."""
    try:
        app()
    except (Wrong, Unable, ControlError, NoAnswer, ImportError) as error:  # a package that a plug-in needs is missing
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


@app.command("plugins")
def plugins(plugin: Annotated[str | None, typer.Argument(help="List the fields of this one.")] = None) -> None:
    """List the plug-ins that are installed, or the fields of one."""
    if plugin is not None:
        for name, field in _found(plugin).Config.model_fields.items():
            default = "required" if field.is_required() else f"default {field.default}"
            print(f"--{name.replace('_', '-')}: {field.description or 'see the documentation'} ({default})")
        return
    for name, one in installed().items():
        print(f"{name}: {(sys.modules[one.run.__module__].__doc__ or '').splitlines()[0]}")


def _found(plugin: str) -> Plugin:
    there = installed()
    if plugin not in there:
        raise Wrong(f"no plug-in {plugin!r}; there are: {', '.join(there) or 'none'}")
    return there[plugin]


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    plugin: Annotated[str, typer.Argument(help="Its name.")],
    session: Annotated[str | None, typer.Option(help="Name of a session of the supervisor.")] = None,
    supervisor: Annotated[str, typer.Option(help="Where `decoderd serve` is.")] = "tcp://127.0.0.1:5570",
    control: Annotated[str | None, typer.Option(help="Control of a session, instead of --session.")] = None,
    stored: Annotated[Path | None, typer.Option(help="Folder of a stored session, instead of --session.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of what it is to do.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a field.")] = None,
    keys: Annotated[Path | None, typer.Option(help="This client's file of keys.")] = None,
) -> None:
    """Run a plug-in beside a session until it has done its work.

    The plug-in's own fields are options as well: `--out FOLDER` is `--set out=FOLDER`. `decoderd-client plugins PLUGIN`
    lists them.
    """
    chosen = _found(plugin)
    given = _parsed(chosen.Config, _read(config, [*(set_ or []), *_options(context.args)]))
    try:
        mine = ClientKeys.load(keys) if keys is not None else None
    except (OSError, ValueError) as error:
        raise Wrong(str(error)) from None
    which = sum(one is not None for one in (session, control, stored))
    if which == 0 and chosen.supervised is not None:
        with _client(Supervisor, supervisor, mine) as daemon:
            chosen.supervised(daemon, given, _print_line)
        return
    if which != 1:
        raise Wrong("say which session: --session NAME, --control ENDPOINT, or --stored FOLDER")
    if stored is not None:
        if chosen.stored is None:
            raise Wrong(f"{plugin} works beside running sessions only: --session NAME, or --control ENDPOINT")
        chosen.stored(stored, given, _print_line)
        return
    if control is not None:
        found = _client(Session, control, mine)
    else:
        with _client(Supervisor, supervisor, mine) as daemon:
            found = daemon.session(session or "")
    with found:
        chosen.run(found, given, _print_line)


def _client(kind: type[Client], endpoint: str, keys: ClientKeys | None) -> Client:
    try:
        return kind(endpoint, keys=keys)
    except ValueError as error:
        raise Wrong(str(error)) from None


def _print_line(text: str) -> None:
    print(text, flush=True)


def _options(words: list[str]) -> list[str]:
    """Options of the plug-in as overrides: `--bin-s 0.1`, `--bin-s=0.1`; one without a value is true."""
    overrides: list[str] = []
    for word in words:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            overrides.append(name.replace("-", "_") + (f"={value}" if equals else ""))
        elif overrides and "=" not in overrides[-1]:
            overrides[-1] += f"={word}"
        else:
            raise Wrong(f"{word}: what is this? Options of a plug-in are given as --name value")
    return [one if "=" in one else f"{one}=true" for one in overrides]


def _read(file: Path | None, overrides: list[str]) -> dict[str, Any]:
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8-sig")) if file is not None else {}
    except UnicodeDecodeError:
        raise Wrong(f"{file}: is not text in UTF-8: save it as UTF-8") from None
    except (OSError, tomllib.TOMLDecodeError) as error:
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
        faults = error.errors(include_url=False, include_input=False)
        lines = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults]
        if any(fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1 for fault in faults):
            lines.append(f"There are: {', '.join(model.model_fields)}")
        raise Wrong("\n".join(lines)) from None
