"""A secret in memory shows itself nowhere by accident."""

from __future__ import annotations

import copy
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.vault.secret_text import MASK, SecretText

KANARI = "kanari-7f3a"


def test_no_way_of_writing_it_shows_it():
    secret = SecretText(KANARI)
    assert {repr(secret), str(secret), f"{secret}", f"{secret!r}", f"{[secret]}"[1:-1]} == {MASK}


def test_a_traceback_does_not_show_it():
    secret = SecretText(KANARI)
    try:
        raise ValueError(secret)
    except ValueError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert secret.reveal() not in shown.replace(f"KANARI = {KANARI!r}", "")


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_is_not_copied_out(leak):
    with pytest.raises(TypeError, match="never pickled"):
        leak(SecretText(KANARI))


@given(st.text(), st.text())
def test_same_as_compares_the_text(one, other):
    assert SecretText(one).same_as(SecretText(other)) is (one == other)
