"""The documented list of reasons is the list in the code."""

from __future__ import annotations

import re
from pathlib import Path

from connectors.sources.reject import Reason

PAGE = Path(__file__).parents[3] / "docs/dead-letters.md"


def test_the_page_lists_exactly_the_reasons():
    rows = re.findall(r"^\| `([a-z_0-9]+)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(reason.value, reason.meaning) for reason in Reason]
