"""The files of decoderd/wire/specification that are generated: written, or compared with what is there."""

from __future__ import annotations

import json
from pathlib import Path

from tools.wire_spec import dump
from tools.wire_spec.reference import with_reference
from tools.wire_spec.schemas import schemas
from tools.wire_spec.vectors import vectors

FOLDER = Path(__file__).resolve().parents[2] / "decoderd" / "wire" / "specification"
USAGE = "usage: python -m tools.wire_spec [--check]"


def files(folder: Path = FOLDER) -> dict[Path, str]:
    """{path: text} of all that is generated in `folder`."""
    readme = folder / "README.md"
    found = {readme: with_reference(readme.read_text(encoding="utf-8"), folder)}
    for name, schema in schemas().items():
        found[folder / "schemas" / name] = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    for name, several in vectors(folder).items():  # a line each, so that a change is a line
        lines = ",\n".join(json.dumps(one, ensure_ascii=False, allow_nan=False) for one in several)
        found[folder / "vectors" / name] = f"[\n{lines}\n]\n"
    found |= {folder / "vectors" / name: text for name, text in dump.files(folder).items()}
    return found


def stale(folder: Path = FOLDER) -> list[Path]:
    """Files whose text is not what it should be, or that should not be there."""
    wanted = files(folder)
    there = {path for kind in ("schemas", "vectors") for path in (folder / kind).glob("*.*") if path.suffix != ".md"}
    differing = [
        path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    return sorted([*differing, *(there - wanted.keys())])


def write(folder: Path = FOLDER) -> None:
    """Write all that is generated, and remove what is no longer."""
    wanted = files(folder)
    for path in stale(folder):
        if path not in wanted:
            path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main(arguments: list[str], folder: Path = FOLDER) -> int:
    """Write or compare, as the command line says; returns the exit status."""
    match arguments:
        case []:
            write(folder)
            return 0
        case ["--check"]:
            found = stale(folder)
            for path in found:
                print(f"stale: {path.relative_to(folder.parents[2])}; run `python -m tools.wire_spec`")
            return 1 if found else 0
    print(USAGE)
    return 2
