"""The generated parts of the README: tables of topics, inputs, operations, errors, states, and of protocols."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from decoderd import registry
from decoderd.perturbations import envelope
from decoderd.wire import control, replies, topics
from decoderd.wire.message import Message, keys_of
from tools.wire_spec.json_form import Json
from tools.wire_spec.schemas import INPUTS, REQUESTS, of_adapter, of_model, of_replies
from tools.wire_spec.vectors import cases
from tools.wire_spec.words import PARTS, docstring, fields_table, keys_table, own_fields

# Sections of a protocol: (the family of their kinds, what they decide).
SECTIONS: dict[str, tuple[str | None, str]] = {
    "name": (None, "small letters, digits and -, at most 64"),
    "seed": (None, "of everything random"),
    "tick_s": (None, "length of a tick, s"),
    "bin_ticks": (None, "ticks of a decoder bin"),
    "schedule": (None, "`days` (1 if absent), and `blocks`: a list of maps, each with `trials` or `duration_s`"),
    "task": ("tasks", "what the subject is to do"),
    "effector": ("effectors", "what the decoded movement moves"),
    "population": ("populations", "neurons, and the subject that drives them"),
    "decoder": ("decoders", "counts to movement"),
    "updater": ("updaters", "changes the decoder as the session goes on"),
    "readouts": (None, "which units the decoder reads"),
    "plasticity": ("plasticity", "changes the population as the session goes on"),
    "pretraining": (None, "practice of a population before the session"),
    "overnight": (None, "what happens to units and decoder between days"),
    "perturbations": ("perturbations", "a list of [perturbations](#perturbations)"),
}
NEEDED = ("name", "schedule", "task", "population", "decoder")


def with_reference(text: str, folder: Path) -> str:
    """The README `text` with its generated parts made anew; examples come from the cases of `folder`."""
    for name, make in PARTS_OF_README.items():
        begin, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        before, found, rest = text.partition(begin)
        _, also, after = rest.partition(end)
        if not (found and also):
            raise SystemExit(f"README.md: {begin} ... {end} is missing")
        text = "\n".join([before + begin, "", *make(folder)]) + end + after
    return text


# --- messages and inputs


def _topics(_: Path) -> list[str]:
    lines = ["Every payload has:", "", *keys_table(of_model(Message))]
    for topic, model in topics.MODELS.items():
        schema = of_model(model)
        lines += [f"#### {topic}", "", docstring(schema), "", *keys_table(schema, keys_of(Message).values())]
    return lines


def _inputs(_: Path) -> list[str]:
    lines: list[str] = []
    for model in INPUTS:
        schema = of_model(model)
        op = model.model_fields["op"].default
        lines += [f"#### input {op}", "", docstring(schema), ""]
        lines += fields_table(schema, schema.get("$defs", {}), {"op"})
    return lines


# --- protocols


def _built_in(family: str) -> dict[str, Any]:
    """The components of a family that come with the service."""
    found = sorted(registry.family(family).items())
    return {kind: one for kind, one in found if one.Config.__module__.startswith("decoderd.")}


def _about(model: type[BaseModel]) -> str:
    return " ".join(str(model.__doc__).split()).replace("|", "\\|")


def _perturbations(_: Path) -> list[str]:
    lines = [
        "| `kind` | `site` | fields besides `kind`, `name`, `site`, `envelope` | what it does |",
        "|---|---|---|---|",
    ]
    for kind, one in _built_in("perturbations").items():
        sites = ", ".join(f"`{site}`" for site in one.sites)
        own = own_fields(of_model(one.Config), {"kind", "name", "site", "envelope"})
        lines.append(f"| `{kind}` | {sites} | {own} | {_about(one.Config)} |")
    lines += ["", "| `shape` of an envelope | other fields | amount |", "|---|---|---|"]
    for shape in (envelope.Step, envelope.Ramp, envelope.Block):
        kind = shape.model_fields["shape"].default
        lines.append(f"| `{kind}` | {own_fields(of_model(shape), {'shape'})} | {_about(shape)} |")
    return [*lines, ""]


def example_protocol(folder: Path) -> dict[str, Json]:
    """The protocol of the first `start` among the cases."""
    found: dict[str, Json] = next(
        case["request"]["protocol"]
        for case in cases(folder, "requests.supervisor.json")
        if case["request"]["op"] == "start"
    )
    return found


def _protocol(folder: Path) -> list[str]:
    lines = ["| section | | what it decides | `kind` |", "|---|---|---|---|"]
    for name, (family, what) in SECTIONS.items():
        kinds = ", ".join(f"`{kind}`" for kind in _built_in(family)) if family else ""
        lines.append(f"| `{name}` | {'needed' if name in NEEDED else ''} | {what} | {kinds} |")
    return [*lines, "", "For example:", "", "```json", json.dumps(example_protocol(folder)), "```", ""]


# --- control


def _list(of: str, meanings: Mapping[str, str]) -> list[str]:
    return [f"| {of} | meaning |", "|---|---|", *(f"| `{one}` | {meaning} |" for one, meaning in meanings.items()), ""]


def _operations(process: control.Process, folder: Path) -> list[str]:
    requests, answers = of_adapter(REQUESTS[process])["$defs"], of_replies(process)["$defs"]
    asked, answered = _examples(process, folder)
    shown: set[str] = set()
    lines: list[str] = []

    def parts(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Iterator[str]:
        for name in PARTS:
            if name not in shown and f'/{name}"' in json.dumps(schema.get("properties", {})):
                shown.add(name)
                yield from (f"##### {name}", "", docstring(defs[name]), "", *fields_table(defs[name], defs))

    for op, operation in control.of(process).items():
        schema, reply = requests[operation.request.__name__], operation.reply.__name__
        lines += [f"#### {process} {op}", "", f"({operation.role}) {docstring(schema)}", ""]
        fields = fields_table(schema, requests, {"v", "id", "op"})
        lines += ["Request:", "", *fields] if fields else []
        lines += list(parts(schema, requests))
        if reply in shown:
            lines += [f"Reply: {reply}, as above.", ""]
        else:
            shown.add(reply)
            lines += [f"Reply ({reply}): {docstring(answers[reply])}", ""]
            lines += fields_table(answers[reply], answers, {"v", "id", "ok"})
            lines += list(parts(answers[reply], answers))
        lines += ["```json", _shortened(asked[op]), _shortened(answered[op]), "```", ""]
    return lines


def _examples(process: control.Process, folder: Path) -> tuple[dict[str, Json], dict[str, Json]]:
    """The first request, and the first reply that is ok, of every operation among the cases."""
    requests = reversed(cases(folder, f"requests.{process}.json"))
    answers = (case for case in reversed(cases(folder, "replies.json")) if case["from"] == process)
    asked = {case["request"]["op"]: case["request"] for case in requests}
    return asked, {case["op"]: case["reply"] for case in answers if case["reply"]["ok"]}


def _shortened(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(
        r'"protocol": \{.*\}\}',
        '"protocol": {...}}',
        re.sub(r'"config": \{.*?"units": null\}', '"config": {...}', text),
    )


PARTS_OF_README: dict[str, Callable[[Path], list[str]]] = {
    "topics": _topics,
    "inputs": _inputs,
    "protocol": _protocol,
    "perturbations": _perturbations,
    "errors": lambda _: _list("code", replies.CODES),
    "states": lambda _: _list("state", replies.STATES),
    "session": lambda folder: _operations("session", folder),
    "supervisor": lambda folder: _operations("supervisor", folder),
}
