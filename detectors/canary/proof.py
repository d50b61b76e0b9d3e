"""The proof that a record is a canary: HMAC-SHA-256 (RFC 2104) over its slot, its place and its bytes.

A mark inside an event proves nothing, so the proof stands in a Kafka header. It covers source, topic,
partition, slot and the whole value: on another event, in another partition or for another slot it is wrong.
Whoever reads a topic sees the proof and can only repeat the very same bytes, which is told by the slot.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal, NamedTuple, TypeAlias

HEADER: Final = "davylamp-canary"
DUE: Final = "canary_due"
"""The counter of a partition's checkpoint that holds the newest accepted slot; it only grows."""
MIN_KEY: Final = 16
_FORM: Final = re.compile(rb"1\.([1-9][0-9]{0,10})\.([0-9a-f]{64})")

Refusal: TypeAlias = Literal["malformed", "wrong", "not_due", "used"]
REFUSALS: Final[Mapping[Refusal, str]] = {
    "malformed": "The header does not have the form of a proof, or there are several.",
    "wrong": "The proof is not of this key, source, topic, partition, slot and value.",
    "not_due": "The record was appended before its slot, or longer than the grace after it.",
    "used": "This slot, or a later one, was accepted in this partition before.",
}


class Slot(NamedTuple):
    """Where and when one canary belongs. `due` is in whole seconds since the epoch (UTC)."""

    source: str
    topic: str
    partition: int
    due: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a header is worth. `authentic`: the bytes are ours, also when the slot refuses them."""

    due: int
    refusal: Refusal | None
    authentic: bool


def prove(key: bytes, slot: Slot, value: bytes) -> bytes:
    """Return the header's value of a canary."""
    return b"1.%d.%s" % (slot.due, _mac(key, slot, value))


def judge(
    keys: Sequence[bytes],
    headers: Sequence[bytes],
    place: tuple[str, str, int],
    value: bytes,
    *,
    appended: float,
    newest: int,
    grace_s: float,
) -> Verdict:
    """Judge a record that carries `headers` of our name at `place` (source, topic, partition).

    `appended` is the record's append time in seconds (UTC), `newest` the newest slot accepted in this
    partition (0: none). Never raises.
    """
    found = _FORM.fullmatch(headers[0]) if len(headers) == 1 else None
    if found is None:
        return Verdict(0, "malformed", authentic=False)
    slot = Slot(*place, int(found[1]))
    if not any(hmac.compare_digest(_mac(key, slot, value), found[2]) for key in keys):
        return Verdict(slot.due, "wrong", authentic=False)
    if not slot.due <= appended <= slot.due + grace_s:
        return Verdict(slot.due, "not_due", authentic=True)
    return Verdict(slot.due, "used" if slot.due <= newest else None, authentic=True)


def _mac(key: bytes, slot: Slot, value: bytes) -> bytes:
    fields = (slot.source, slot.topic, str(slot.partition), str(slot.due))
    message = bytearray(b"davylamp-canary/1")
    for part in (*(field.encode("utf-8", "surrogatepass") for field in fields), sha256(value).digest()):
        message += len(part).to_bytes(4, "big") + part
    return hmac.new(key, message, sha256).hexdigest().encode()
