"""The specification in decoderd/wire/specification: up to date and complete."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from decoderd import registry
from decoderd.errors import ProtocolError
from decoderd.protocol import protocol as protocols
from decoderd.service.live_session import LONGEST
from decoderd.wire import control, envelope, inputs, replies, topics
from decoderd.wire.message import Message, keys_of
from tests.wire.spec import README, frames_of, schema, vectors
from tools.wire_spec import files
from tools.wire_spec.files import FOLDER
from tools.wire_spec.reference import NEEDED, SECTIONS, example_protocol
from tools.wire_spec.schemas import REQUESTS, schemas
from tools.wire_spec.vectors import KINDS

# --- up to date


def test_nothing_is_stale():
    assert [path.name for path in files.stale()] == []


def test_check_names_what_is_stale(tmp_path, capsys):
    folder = tmp_path / "decoderd" / "wire" / "specification"
    shutil.copytree(FOLDER, folder)
    assert files.main(["--check"], folder) == 0
    (folder / "schemas/topic.tick.json").write_text("{}\n")
    (folder / "vectors/left_over.json").write_text("[]\n")
    readme = folder / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8").replace("| `q` |", "| `quite` |"), encoding="utf-8")
    assert files.main(["--check"], folder) == 1
    assert re.findall(r"stale: (\S+);", capsys.readouterr().out) == [
        "decoderd/wire/specification/README.md",
        "decoderd/wire/specification/schemas/topic.tick.json",
        "decoderd/wire/specification/vectors/left_over.json",
    ]
    assert files.main([], folder) == 0
    assert files.main(["--check"], folder) == 0


def test_other_arguments_are_answered_with_the_usage(capsys):
    assert files.main(["--chek"]) == 2
    assert "usage" in capsys.readouterr().out


# --- complete


def section_of(title):
    """What stands in the README under a heading of the fourth order, with its parts."""
    return re.split(r"\n#{2,4} ", README.split(f"\n#### {title}\n")[1])[0]


def test_every_topic_has_a_vector_a_schema_and_a_table():
    assert {one["topic"] for one in vectors("messages.json")} == set(topics.NAMES)
    common = [(key, name) for name, key in keys_of(Message).items()]
    for topic, model in topics.MODELS.items():
        assert (FOLDER / "schemas" / f"topic.{topic}.json").is_file()
        section = section_of(topic)
        keys = {(key, name) for name, key in keys_of(model).items()}
        assert set(re.findall(r"^\| `(\w)` \| `(\w+)` \|", section, re.M)) == keys - set(common)


@pytest.mark.parametrize("process", REQUESTS)
def test_every_operation_has_vectors_and_a_section(process):
    requested = {one["request"]["op"] for one in vectors(f"requests.{process}.json")}
    answered = {one["op"] for one in vectors("replies.json") if one["from"] == process and one["reply"]["ok"]}
    assert requested == answered == set(control.of(process))
    for op, operation in control.of(process).items():
        section = section_of(f"{process} {op}")
        assert f"({operation.role})" in section
        for field in operation.request.model_fields.keys() - {"v", "id", "op"}:
            assert f"| `{field}` |" in section


def test_every_input_has_a_vector_and_a_section():
    ops = {model.model_fields["op"].default for model in inputs.AnyInput.__args__}
    given = [one["request"]["input"]["op"] for one in vectors("requests.session.json") if "input" in one["request"]]
    assert set(given) == ops
    for op in ops:
        assert f"#### input {op}\n" in README


def test_every_error_code_and_state_is_explained():
    for word in (*replies.CODES, *replies.STATES):
        assert re.search(rf"^\| `{word}` \| \S", README, re.M), word


def test_limits_are_those_of_the_envelope():
    assert f"at most {envelope.MAP_BYTES:,} bytes" in README
    in_all = f"{envelope.BODY_BYTES // 2**20} MiB in all"
    assert f"at most {envelope.FRAMES} in a request, of {envelope.FRAME_BYTES:,} bytes each and {in_all}" in README
    assert f"at most {envelope.DEPTH} deep in a request" in README
    assert str(LONGEST) == "30"
    assert README.count("at most thirty times as long") == 1


def test_every_perturbation_and_section_of_a_protocol_is_described():
    for kind, one in registry.family("perturbations").items():
        row = re.search(rf"^\| `{kind}` \| (.*?) \| (.*?) \|", README, re.M)
        assert row is not None or not one.Config.__module__.startswith("decoderd.")
        if row is not None:
            assert set(re.findall(r"`(\w+)`", row[1])) == set(one.sites)
            own = one.Config.model_fields.keys() - {"kind", "name", "site", "envelope"}
            assert own <= set(re.findall(r"`(\w+)` \(", row[2]))
    assert [*SECTIONS] == [*protocols.Protocol.model_fields]
    example = example_protocol(FOLDER)
    assert json.dumps(example) in README
    protocols.parse(example)
    for section in SECTIONS:
        if section in NEEDED:
            with pytest.raises(ProtocolError):
                protocols.parse({name: value for name, value in example.items() if name != section})
        else:
            protocols.parse({name: value for name, value in example.items() if name != section})


def test_what_a_vector_replies_to_is_the_vector_that_asked():
    """Under one id: the operation, and what is said again of the request."""
    requested = {
        one["request"]["id"]: one["request"]
        for process in REQUESTS
        for one in reversed(vectors(f"requests.{process}.json"))
    }
    for one in vectors("replies.json"):
        reply, request = one["reply"], requested.get(one["reply"]["id"])
        if not reply["ok"] or request is None:
            assert not reply["ok"], one["name"]
            continue
        assert request["op"] == one["op"], one["name"]
        for field in request.keys() & reply.keys() - {"v", "id", "op", "count", "session"}:
            assert reply[field] == request[field], (one["name"], field)
        if one["op"] == "missed":
            assert reply["count"] <= min(request.get("count", 1000), reply["next"] - reply["first"]), one["name"]


def listed(schema):
    """Every list of values in a schema, and what stands beside it: ("any text", or what alone is accepted)."""
    if isinstance(schema, list):
        return [found for one in schema for found in listed(one)]
    if not isinstance(schema, dict):
        return []
    choice = schema.get("anyOf", [])
    if choice and "enum" in choice[0]:
        return [(tuple(choice[0]["enum"]), choice[1:] == [{"type": "string"}])]
    return [*([(tuple(schema["enum"]), False)] if "enum" in schema else []), *listed([*schema.values()])]


def test_schemas_of_what_is_sent_are_closed_and_of_what_is_received_open():
    for name, one in schemas().items():
        received = name.startswith("topic.") or name.endswith(".replies.json")
        assert all(opened == received for _, opened in listed(one)), name
    assert not schema("inputs.json").is_valid({"op": "task", "event": "later"})
    reply = {"v": 2, "id": "x", "ok": False, "error": {"code": "later", "message": "", "more": 1}}
    assert schema("session.replies.json").is_valid(reply)
    requested = {"v": 2, "id": "x", "op": "missed", "topic": "later", "first": 0}
    assert not schema("session.requests.json").is_valid(requested)


def test_names_of_vectors_differ():
    for file in KINDS:
        found = [(one.get("from"), one.get("topic"), one["name"]) for one in vectors(file)]
        assert len(found) == len(set(found)), file


def test_links_lead_somewhere():
    anchors = {
        re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^#+ (.*)$", README, re.M)
    }
    for target in re.findall(r"\]\(([^)]*)\)", README):
        assert not target.startswith("..")  # a reader may have this folder only
        assert target[1:] in anchors if target[0] == "#" else (FOLDER / target).exists(), target


def bytes_in_readme(title):
    """The frames of a block of hex, written by hand: blank lines part them."""
    block = re.search(rf"```hex {title}\n(.*?)```", README, re.S).group(1)
    return [bytes.fromhex(re.sub(r"#.*|\s", "", frame)) for frame in re.sub("#.*", "", block).split("\n\n")]


def test_bytes_in_the_readme_are_those_of_vectors():
    (example,) = (one for one in vectors("messages.json") if one["name"] == "the example of the README")
    assert bytes_in_readme("message") == frames_of(example)
    (example,) = (one for one in vectors("requests.session.json") if one["name"] == "pause")
    assert bytes_in_readme("request") == frames_of(example)
    (example,) = (one for one in vectors("replies.json") if one["name"] == "pause")
    assert bytes_in_readme("reply") == frames_of(example)
