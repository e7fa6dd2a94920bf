"""The memory that a session may take: sizes as written, and what the kernel shows."""

import pytest

from decoderd.errors import ProtocolError
from decoderd.preparation.memory_limit import MemoryLimit, available, parse, shown


@pytest.mark.parametrize(
    ("text", "size"), [("4G", 2**32), ("512M", 2**29), ("1.5g", 3 * 2**29), ("2 GiB", 2**31), ("1000000", 1_000_000)]
)
def test_sizes(text, size):
    assert parse(text) == MemoryLimit(size, "--max-memory")


@pytest.mark.parametrize("text", ["", "much", "-1G", "0", "4 gallons", "G"])
def test_sizes_that_are_none(text):
    with pytest.raises(ProtocolError, match="expected a size such as 4G"):
        parse(text)


def test_the_machine_or_a_control_group_limits_whichever_is_less(tmp_path):
    meminfo, own, cgroups = tmp_path / "meminfo", tmp_path / "cgroup", tmp_path / "groups"
    unit = cgroups / "system.slice" / "decoderd.service"
    unit.mkdir(parents=True)
    meminfo.write_text("MemTotal:       16000 kB\nMemAvailable:    8000 kB\n")
    own.write_text("0::/system.slice/decoderd.service\n")
    (unit / "memory.max").write_text("max\n")
    assert available(meminfo, own, cgroups) == (8000 * 1024, "available on this machine")
    (unit.parent / "memory.max").write_text("4096000\n")
    assert available(meminfo, own, cgroups) == (4096000, f"memory.max of the control group {unit.parent}")
    (unit / "memory.max").write_text("2048000\n")
    assert available(meminfo, own, cgroups) == (2048000, f"memory.max of the control group {unit}")


def test_where_the_kernel_shows_nothing_there_is_no_limit(tmp_path):
    assert available(tmp_path / "a", tmp_path / "b", tmp_path / "c").most == 2**63


def test_sizes_in_words():
    sizes = (12, 3_400, 167_772_160, 16_100_000_000)
    assert [shown(size) for size in sizes] == ["12 bytes", "3.4 kB", "168 MB", "16.1 GB"]
