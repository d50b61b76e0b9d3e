"""Dead letters: what could not be read or was refused, with its reason by name (contracts, section 3)."""

from __future__ import annotations

from typing import Final

from connectors.ecs.redaction import redact_text
from connectors.kafka.encoding import encode_key
from connectors.kafka.producer import Message
from connectors.kafka.topics import DEAD_LETTERS

MAX_VALUE_BYTES: Final = 16 * 1024
_MAX_HEADER_CHARS: Final = 512


def dead_letter(
    value: bytes | None,
    *,
    reason: str,
    role: str,
    source: str,
    origin: str,
    target: str = "",
    attempts: int = 1,
    detail: str = "",
) -> Message:
    """Return the message: the record's first 16 KiB, keyed by source, and the headers of the contract.

    What has the shape of a secret is masked: a dead letter is read by more people than the record was,
    and `origin` leads back to the record itself.

    `reason` is one of ``docs/dead-letters.md``; `origin` is topic/partition/offset/index; `detail`
    must hold no secret and is cut to 512 characters.
    """
    headers = {
        "reason": reason,
        "role": role,
        "target": target,
        "source": source,
        "origin": origin,
        "attempts": str(attempts),
        "detail": detail[:_MAX_HEADER_CHARS],
    }
    return Message(
        DEAD_LETTERS,
        encode_key(source),
        _masked((value or b"")[:MAX_VALUE_BYTES]),
        tuple((name, text.encode("utf-8", "replace")) for name, text in headers.items()),
    )


def _masked(value: bytes) -> bytes:
    return redact_text(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
