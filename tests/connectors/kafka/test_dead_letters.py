"""A dead letter: named reason, place of origin, bounded value without secrets."""

import pytest

from connectors.kafka.dead_letter import MAX_VALUE_BYTES, dead_letter


def letter(value):
    return dead_letter(value, reason="bad_json", role="detect", source="cloudtrail", origin="t/0/7/0")


def test_headers_say_why_and_where_from():
    headers = {name: text.decode() for name, text in letter(b"{").headers}
    assert headers["reason"] == "bad_json"
    assert headers["origin"] == "t/0/7/0"
    assert set(headers) == {"reason", "role", "target", "source", "origin", "attempts", "detail"}


def test_the_value_is_the_first_16_kib():
    assert letter(b"\xff" * (MAX_VALUE_BYTES + 1)).value == b"\xff" * MAX_VALUE_BYTES
    assert letter(None).value == b""


@pytest.mark.parametrize("secret", ["hvs.CAESIJ2b7xQ9v0ZkAAAAAAAAAAAA", "s.4Xq9Zr5Lt8Vn3Kx7QcanaryQ"])
def test_a_token_in_a_broken_record_is_masked(secret):
    value = letter(f'{{"userAgent": "curl {secret}", '.encode()).value
    assert secret.encode() not in value
    assert b"userAgent" in value
