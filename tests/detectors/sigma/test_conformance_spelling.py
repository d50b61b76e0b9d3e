"""What pySigma reads otherwise than the specification is respelt first, and nothing is lost on the way."""

from __future__ import annotations

from base64 import b64encode

import pytest

from detectors.sigma.document import SigmaRuleError
from detectors.sigma.spelling import respelt


def selection(key: str, value: object) -> object:
    return respelt({"detection": {"s": {key: value}, "condition": "s"}})["detection"]["s"]


@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("text", ["é", "Grüße", "日本語", "a😀b", "ééé"])
def test_a_shifted_text_is_found_at_every_place(text: str, before: int) -> None:
    found = selection("f|base64offset|contains", text)
    assert isinstance(found, dict)
    digits = b64encode(b"\xff" * before + text.encode() + b"\xff\x00\xff").decode()
    assert any(value in digits for value in found["f|contains"])


def test_keys_that_come_to_the_same_are_refused() -> None:
    node = {"f|wide|contains": "a", "f|utf16le|contains": "b"}
    with pytest.raises(SigmaRuleError, match="come to the same"):
        respelt({"detection": {"s": node, "condition": "s"}})


def test_all_of_several_shifted_texts_beyond_ascii_is_refused() -> None:
    with pytest.raises(SigmaRuleError, match="base64offset of several texts"):
        selection("f|base64offset|contains|all", ["é", "ü"])


@pytest.mark.parametrize("value", [5, None, True, ["a", 5]])
def test_a_regular_expression_is_a_text(value: object) -> None:
    with pytest.raises(SigmaRuleError, match="regular expression is a text"):
        selection("f|re", value)


@pytest.mark.parametrize(
    ("condition", "written"),
    [
        ("s and not notes", "s and not 1 of notes"),
        ("notes", "1 of notes"),
        ("1 of notes*", "1 of notes*"),
        ("all of  notes_x", "all of  notes_x"),
        ("not s", "not s"),
        ("(notes or s)", "(1 of notes or s)"),
        (["notes", "s"], ["1 of notes", "s"]),
    ],
)
def test_a_name_that_begins_with_not_is_a_name(condition: object, written: object) -> None:
    assert respelt({"detection": {"condition": condition}})["detection"]["condition"] == written


def test_what_needs_no_respelling_stays() -> None:
    rule = {
        "title": "t",
        "detection": {"s": [{"f|contains|all": ["a", "b"]}, "word", 5], "condition": "s"},
        "filter": {"rules": ["notes"], "x": {"g": None}, "condition": "not x"},
    }
    assert respelt(rule) == rule
