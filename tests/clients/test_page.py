"""The programs of the page on clients run, one after the other as a reader would, against a session."""

import re
from pathlib import Path

from tests.protocols import lasting
from tests.service.serving import served

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "write-a-client.md"


def test_the_programs_of_the_page_run(tmp_path, capsys):
    marked = r"^<!-- run by: tests/clients/test_page.py -->\n```python\n(.*?)^```"
    programs = re.findall(marked, PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(programs) == 3
    with served(tmp_path, lasting(3600.0), "--speed", "10") as (control, _, _):
        names = {"control": control}
        for program in programs:
            exec(program, names)
        lines = []
        names["run"](names["session"], names["Config"](trials=0), lines.append)
        names["session"].close()
    printed = capsys.readouterr().out
    assert "there already: False" in printed
    assert "refused" in printed  # kinematics, where the decoder is not outside
    assert re.search(r"^tick \d+ \[", printed, re.MULTILINE)
    assert re.match(r"trial \d+: ", lines[0])
