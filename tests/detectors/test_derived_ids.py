"""Derived ids are what their definition says, whatever is remembered on the way."""

from __future__ import annotations

import hashlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.finding import finding_id
from detectors.identifier import derive

ANY_TEXT = st.text(st.characters(), max_size=300) | st.text(st.characters(categories=["Cs"]), max_size=4)


def defined(domain: str, *fields: str) -> str:
    """The definition, written out: 128 bits of SHA-256 over length-prefixed fields as a UUID of version 8."""
    digest = hashlib.sha256()
    for part in (domain, *fields):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    value = int.from_bytes(digest.digest()[:16], "big")
    value = (value & ~(0xF << 76)) | (0x8 << 76)
    return str(uuid.UUID(int=(value & ~(0x3 << 62)) | (0x2 << 62)))


@given(ANY_TEXT, st.lists(ANY_TEXT, max_size=5))
def test_an_id_is_what_its_definition_says(domain, fields):
    assert derive(domain, *fields) == derive(domain, *fields) == defined(domain, *fields)


def test_a_uuid_of_version_8_comes_out():
    made = uuid.UUID(derive("finding", "rule", "1", "event"))
    assert (made.version, made.variant) == (8, uuid.RFC_4122)


@pytest.mark.parametrize("length", [255, 256, 257, 100_000])
def test_a_field_of_any_length_counts_whole(length):
    fields = "a" * length, "b"
    assert derive("finding", *fields) == defined("finding", *fields)
    assert derive("finding", *fields) != derive("finding", "a" * (length - 1), "ab")


def test_where_one_field_ends_and_the_next_begins_is_part_of_the_id():
    assert len({derive("d", "ab", "c"), derive("d", "a", "bc"), derive("d", "abc"), derive("da", "bc")}) == 4


def test_a_finding_has_the_same_id_in_any_order_of_its_events_and_for_ever():
    assert finding_id("rule", 1, ["b", "a"]) == finding_id("rule", 1, ["a", "b"])
    assert finding_id("rule", 1, ["a", "b"]) == "66486cf4-9875-8561-8dc4-4f2f6f54d4c3"
