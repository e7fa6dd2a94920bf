"""A reader follows each page of the documentation, block by block, in an empty folder with real sessions.

Blocks that are not run here say why, above them in the page; `tests/test_fences.py` checks that none is forgotten.
"""

from __future__ import annotations

import pytest

from tests import fences
from tests.campaigns.reader import reader


def ours(page):
    """Whether a page has a block that is not run by another test."""
    return any(
        block.language not in fences.SHOWN and not {"run by", "not run"} & set(block.marks)
        for block in fences.blocks(page)
    )


@pytest.mark.campaign
@pytest.mark.parametrize("page", list(filter(ours, fences.PAGES)), ids=lambda page: str(page.relative_to(fences.ROOT)))
def test_its_blocks_run(page, tmp_path):
    with reader(tmp_path) as one:
        for block in fences.blocks(page):
            try:
                one.follow(block)
            except Exception as error:
                error.add_note(f"{page.relative_to(fences.ROOT)}, line {block.line}")
                raise
