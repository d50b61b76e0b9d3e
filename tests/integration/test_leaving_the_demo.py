"""The demo is left as a person leaves it: Ctrl-C, and nothing of it goes on."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.integration


def test_ctrl_c_in_the_middle_of_the_breach_ends_every_child(demo):
    run = demo()
    run.line("the breach ...")
    assert len(run.look()) >= 9
    run.interrupt()
    assert run.left_over() == []
